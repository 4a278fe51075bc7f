//! Makes volumes of files from outside the pool.
//!
//! The file is copied, shared where that is possible, and made a volume where nothing is real, like every other. It
//! is only looked at until the volume is real, also when it is to be moved: whatever is in `new/` is removed by the
//! next start, and this must not be somebody's only copy.

mod original;

use std::fs::OpenOptions;
use std::sync::Arc;

use uuid::Uuid;

use super::ImagePool;
use super::building::Building;
use super::copy::{self, Pending};
use super::error::{Error, Result};
use super::record::VolumeRecord;
use super::settings::Provisioning;
use crate::backend::{Import, Imported};
use crate::error::Noun;
use crate::fault;
use crate::fs;
use crate::sys::failure::Doing;
use crate::sys::{blocking, reflink};
use crate::volume::{Asked, Bytes, Content, FsType, NewVolume, VolumeId};
use original::Original;

impl ImagePool {
    /// Makes a volume of a file.
    pub(super) async fn import_volume(&self, wanted: &Import) -> Result<Imported> {
        let id = VolumeId::of(&wanted.name);
        if let Some(found) = self.volumes.find(&id).await? {
            let how = format!("with {}; choose another name", found.volume.size);
            return Err(Error::Differs { what: Noun::Volume, id: id.to_string(), how });
        }
        let (file, pool) = (wanted.file.clone(), self.located.root.clone());
        let original = Arc::new(blocking(move || Original::open(&file, &pool)).await?);
        let content = original.content(wanted.raw).await?;
        let volume = NewVolume {
            id,
            name: wanted.name.clone(),
            size: original.size(),
            asked: Asked { required: Some(original.size()), limit: None },
            content,
            block_size: original.block_size(content)?,
            limits: crate::volume::Limits::default(),
            source: None,
        };
        let size = volume.size;
        let room = self.reserve(size, size).await?;
        let built = self.begin(&volume.id, size).await?;
        let made = self.take_in(&built, &original, &volume, wanted.moved).await;
        let record: VolumeRecord = self.conclude(built, made, room, size).await?;
        let volume = record.volume.clone();
        self.volumes.put(record, size);
        fault::point("import: real");
        let left = if wanted.moved { blocking(move || original.remove()).await } else { None };
        Ok(Imported { volume, left })
    }

    /// Fills the image that is being built.
    async fn take_in(
        &self,
        built: &Arc<Building<VolumeId>>,
        original: &Arc<Original>,
        volume: &NewVolume,
        moved: bool,
    ) -> Result<VolumeRecord> {
        let (building, from) = (Arc::clone(built), Arc::clone(original));
        let size = volume.size;
        blocking(move || copy_to(&building, &from, size)).await?;
        fault::point("import: copied");
        if let Content::FileSystem(fs) = volume.content {
            self.make_mountable(built, original, fs, moved).await?;
            fault::point("import: proved");
        }
        if self.settings.provisioning == Provisioning::Thick {
            let building = Arc::clone(built);
            blocking(move || building.allocate(size)).await?;
        }
        Ok(VolumeRecord::new(volume.made_now(), None))
    }

    /// Brings the file system in order, and shows that it can be mounted as volumes are.
    async fn make_mountable(
        &self,
        built: &Building<VolumeId>,
        original: &Original,
        fs: FsType,
        moved: bool,
    ) -> Result<()> {
        let (image, lock) = (built.image_path(), || built.held.lock.duplicate());
        let kept = {
            let image = image.clone();
            blocking(move || fs::read_uuid(&image, fs)).await?
        };
        let new_uuid = if moved { kept } else { Uuid::new_v4() };
        let finished = copy::finish(&image, fs, lock()?, Pending { new_uuid, grow: true }).await;
        let proved = match finished {
            Ok(()) => copy::prove(&image, fs, lock()?).await,
            Err(error) => Err(error),
        };
        proved.map_err(|error| {
            if matches!(error, copy::Error::NoSpace { .. }) {
                return error.into();
            }
            original.unmountable(fs, moved, error)
        })
    }
}

fn copy_to(building: &Building<VolumeId>, original: &Original, size: Bytes) -> Result<()> {
    let path = building.image_path();
    let image = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
    let image = image.doing(|| format!("make {}", path.display()))?;
    let shared = reflink::share_or_copy(original.file(), &image)?;
    tracing::debug!(shared, "copied the image");
    original.is_unchanged()?;
    building.resize(size)
}
