//! One volume: its record, its image, its device and its file system, each by what can be seen of it.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use super::kernel::{self, Kernel};
use crate::backend::image::error::Result;
use crate::backend::image::layout;
use crate::backend::image::pause::is_paused;
use crate::backend::image::record::VolumeRecord;
use crate::backend::image::scan;
use crate::backend::image::store::{is_file, look};
use crate::fs;
use crate::sys;
use crate::sys::beneath::{Dir, How};
use crate::sys::extents;
use crate::sys::loopdev::{Backing, LoopDevice};
use crate::sys::mountinfo::Mount;
use crate::sys::questions::Silence;
use crate::volume::{Bytes, Condition, Content, Reason, VolumeId};

/// From here on a copy takes seconds, and holds writers up for as long.
const MANY_EXTENTS: u32 = 500_000;

/// A volume that was looked at.
#[derive(Debug)]
pub(in crate::backend::image) struct Looked {
    /// Its id.
    pub(in crate::backend::image) id: VolumeId,
    /// What is the matter with it.
    pub(in crate::backend::image) conditions: Vec<Condition>,
    /// A mount through which its file system can be asked.
    pub(in crate::backend::image) mount: Option<Mount>,
}

/// Looks at the volume, of which the driver knows this record. What cannot be looked at is a condition, too.
pub(super) fn at(
    volumes: &Dir,
    id: VolumeId,
    known: Option<VolumeRecord>,
    kernel: &Kernel,
    freeze_limit: Duration,
) -> Looked {
    let mut looked = Looked { id, conditions: Vec::new(), mount: None };
    if let Err(error) = looked.fill(volumes, known, kernel, freeze_limit) {
        let error = crate::error::Error::from(error).sentence();
        let message = format!("the volume's files cannot be read: {error}");
        looked.conditions.push(Condition::inaccessible(Reason::PoolUnreachable, message));
    }
    looked
}

/// Returns what is the matter with a file system that gave this answer.
pub(super) fn answered(
    at: &Path,
    answer: std::result::Result<sys::Result<()>, Silence>,
) -> Option<Condition> {
    let at = at.display();
    match answer {
        Ok(Ok(())) => None,
        // It was unmounted since the table was read.
        Ok(Err(failure)) if failure.is_not_found() => None,
        Ok(Err(failure)) => Some(Condition::inaccessible(
            Reason::FileSystemError,
            format!(
                "the file system at {at} answers with an error: {}; unpublish and unstage the volume, then stage it again",
                failure.source
            ),
        )),
        Err(silence) => Some(Condition::inaccessible(
            Reason::FileSystemNotAnswering,
            format!("the file system at {at} does not answer: {silence}"),
        )),
    }
}

// === impl Looked ===

impl Looked {
    fn fill(
        &mut self,
        volumes: &Dir,
        known: Option<VolumeRecord>,
        kernel: &Kernel,
        freeze_limit: Duration,
    ) -> Result<()> {
        let found = scan::entry::<VolumeRecord>(volumes, &self.id)?;
        let Some(entry) = found else {
            let message = "the volume's directory is gone from its pool: restore it from a backup";
            self.conditions.push(Condition::data_loss(Reason::ImageMissing, message));
            return Ok(());
        };
        if let Err(flaw) = &entry.record {
            let file = scan::record_path(volumes.path(), &self.id);
            let message = format!(
                "the record {} {flaw}: restore it, or move the volume's directory out of the pool to give it up",
                file.display()
            );
            // What the driver has read already can be used, until it is started again.
            let reason = Reason::RecordUnreadable;
            self.conditions.push(match &known {
                Some(_) => Condition::degraded(reason, message),
                None => Condition::inaccessible(reason, message),
            });
        }
        let record = entry.record.ok().or(known);
        let dir = volumes.open_dir(self.id.to_string())?;
        self.is_frozen(&dir, freeze_limit)?;
        if is_paused(&dir)? {
            let message = "the volume is paused: its thin pool is full, and whoever writes to it waits, not even to be \
                           killed; delete volumes or snapshots, or give the pool more room, and it goes on by itself";
            self.conditions.push(Condition::inaccessible(Reason::PoolFull, message));
        }
        let image = self.image(&dir, record.as_ref())?;
        let backing = image.as_ref().map(Backing::of).transpose()?;
        self.lost_devices(kernel, backing);
        let Some(backing) = backing else { return Ok(()) };
        match kernel.device_of(backing) {
            Some(device) => self.mounted(kernel, device),
            None => self.unmounted(&dir, record.as_ref()),
        }
        Ok(())
    }

    /// Returns the image, if there is one.
    fn image(&mut self, dir: &Dir, record: Option<&VolumeRecord>) -> Result<Option<File>> {
        let path = dir.path_of(layout::IMAGE);
        let path = path.display();
        let Some(stat) = look(dir, layout::IMAGE)?.filter(is_file) else {
            let message = format!("the image {path} is missing: restore it from a backup");
            self.conditions.push(Condition::data_loss(Reason::ImageMissing, message));
            return Ok(None);
        };
        let found = Bytes(stat.st_size.unsigned_abs());
        if let Some(recorded) = record.map(|record| record.volume.size).filter(|size| found < *size)
        {
            let message = format!(
                "the image {path} has {found}, but its record says {recorded}: what was behind is lost; restore it \
                 from a backup"
            );
            self.conditions.push(Condition::data_loss(Reason::ImageShortened, message));
        }
        let image = dir.open_file(layout::IMAGE, How::Read)?;
        // Not every file system keeps the number.
        let pieces = extents::recorded(&image).unwrap_or(0);
        if pieces > MANY_EXTENTS {
            let message = format!(
                "the image {path} lies in {pieces} pieces: each snapshot holds its writers up for seconds; copy its \
                 data to a new volume"
            );
            self.conditions.push(Condition::degraded(Reason::TooManyExtents, message));
        }
        Ok(Some(image))
    }

    /// A copy that holds a volume says so, and since when.
    fn is_frozen(&mut self, dir: &Dir, limit: Duration) -> Result<()> {
        let Some(stat) = look(dir, layout::FROZEN)? else { return Ok(()) };
        // It is empty until the freeze begins.
        if stat.st_size == 0 {
            return Ok(());
        }
        let since = dir.open_file(layout::FROZEN, How::Read).ok();
        let since = since.and_then(|file| file.metadata().ok()?.modified().ok()?.elapsed().ok());
        if let Some(since) = since.filter(|since| *since > limit) {
            let message = format!(
                "a copy has held the file system still for {} s, and its writers wait; if the driver's log does not \
                 tell why, `fsfreeze --unfreeze` on its mount point lets them go on",
                since.as_secs()
            );
            self.conditions.push(Condition::inaccessible(Reason::FrozenTooLong, message));
        }
        Ok(())
    }

    fn lost_devices(&mut self, kernel: &Kernel, image: Option<Backing>) {
        for device in kernel.lost(&self.id, image) {
            let mounts = kernel.mounts_of(device);
            let at =
                mounts.first().map_or("nowhere".into(), |mount| mount.at.display().to_string());
            let message = format!(
                "{device}, mounted at {at}, has lost the volume's image, which was removed or replaced below it: what \
                 is written there is not kept; unpublish and unstage the volume, then stage it again"
            );
            self.conditions.push(Condition::inaccessible(Reason::LoopDeviceLost, message));
        }
    }

    fn mounted(&mut self, kernel: &Kernel, device: &LoopDevice) {
        let mounts = kernel.mounts_of(device);
        if let Some(errors) = kernel::ext4_errors(device) {
            self.conditions.push(errors_met(&errors));
        }
        let stuck = mounts.iter().find(|mount| mount.is_stopped() && !mount.options.has("ro"));
        if let Some(mount) = stuck {
            let message = format!(
                "the file system at {} turned read-only after an error: unpublish and unstage the volume, then stage it \
                 again",
                mount.at.display()
            );
            self.conditions.push(Condition::inaccessible(Reason::FileSystemReadOnly, message));
        }
        self.mount = mounts.first().map(|mount| Mount::clone(mount));
    }

    /// What a file system has written of its errors before it was unmounted.
    fn unmounted(&mut self, dir: &Dir, record: Option<&VolumeRecord>) {
        let Some(Content::FileSystem(fs)) = record.map(|record| record.volume.content) else {
            return;
        };
        match fs::has_error(&dir.path_of(layout::IMAGE), fs) {
            Ok(false) => {}
            Ok(true) => self.conditions.push(errors_met("it says so in its superblock")),
            Err(error) => {
                let error = crate::error::Error::from(error).sentence();
                let message = format!("the image does not hold its file system: {error}");
                self.conditions.push(Condition::inaccessible(Reason::FileSystemError, message));
            }
        }
    }
}

fn errors_met(what: &str) -> Condition {
    let message = format!(
        "the file system has met an error ({what}): it is checked when the volume is staged again; save what you need \
         of it first"
    );
    Condition::degraded(Reason::FileSystemError, message)
}
