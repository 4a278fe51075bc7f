//! Freezes the mounted volumes of a pool, all at once, and thaws them.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustix::io::Errno;

use super::{Pausing, Turn};
use crate::backend::image::copying::hold_patiently;
use crate::backend::image::error::Result;
use crate::backend::image::inspect::loops;
use crate::backend::image::layout;
use crate::backend::image::record::VolumeRecord;
use crate::backend::image::scan;
use crate::backend::image::store::{look, open_image};
use crate::backend::image::uses::{self, Use};
use crate::fault;
use crate::sys::beneath::{Dir, How};
use crate::sys::freeze::{self, FrozenForLong};
use crate::sys::loopdev::{self, Backing, LoopDevice};
use crate::sys::mount::{DetachedMount, MountOptions};
use crate::sys::mountinfo::{Mount, MountTable};
use crate::volume::{Content, VolumeId};

/// What is in the marker while the volume is frozen.
const WORD: &[u8] = b"paused\n";

/// A volume that was frozen just now. Nobody else freezes or thaws it before that is confirmed or taken back.
#[must_use = "a volume that is neither confirmed nor released stays frozen"]
pub(super) struct Stopped<'a> {
    turn: Turn<'a>,
    marker: File,
    /// Nothing when an earlier driver has frozen it.
    frozen: Option<FrozenForLong>,
}

impl Pausing {
    /// Freezes every volume that is mounted and may be. One that cannot be frozen now is tried again.
    pub(super) fn stop_all<'a>(&'a self, mounted: &'a [(VolumeId, Mount)]) -> Vec<Stopped<'a>> {
        // Side by side: each freeze waits for its volume's disk.
        let stop = |(id, mount): &'a (VolumeId, Mount)| {
            self.stop_one(id, mount).unwrap_or_else(|error| {
                let why = crate::error::Error::from(error).sentence();
                tracing::warn!(volume = %id, why, "the pool is full, and this volume is not paused");
                None
            })
        };
        thread::scope(|scope| {
            let threads: Vec<_> =
                mounted.iter().map(|one| scope.spawn(move || stop(one))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
        })
    }

    /// Lets every paused volume go on, and does not wait for that: the first ones may be writing already.
    pub(super) fn resume_all(self: &Arc<Self>) {
        for id in self.paused() {
            let this = Arc::clone(self);
            let resume = move || {
                if let Err(error) = this.resume(&id) {
                    let why = crate::error::Error::from(error).sentence();
                    tracing::warn!(volume = %id, why, "it is paused, and cannot be thawed yet");
                }
            };
            let started = thread::Builder::new().name("resuming".to_owned()).spawn(resume);
            if let Err(error) = started {
                tracing::error!(%error, "no thread could be started");
            }
        }
    }

    fn stop_one<'a>(&'a self, id: &'a VolumeId, mount: &Mount) -> Result<Option<Stopped<'a>>> {
        let turn = self.turn(id);
        let is_ours = {
            let state = self.lock();
            if state.running.contains_key(id) {
                return Ok(None);
            }
            state.paused.contains(id)
        };
        let dir = self.store.parent::<VolumeId>().open_dir(id.to_string())?;
        let marker = self.mark(&dir)?;
        fault::point("pause: marked");
        let frozen = match freeze::freeze_for_long(mount) {
            Ok(frozen) => Some(frozen),
            Err(failure) if failure.errno() == Some(Errno::BUSY) && is_ours => None,
            // A copy has it frozen for a moment, or somebody else for a reason of his own.
            Err(failure) if failure.errno() == Some(Errno::BUSY) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        fault::point("pause: frozen");
        Ok(Some(Stopped { turn, marker, frozen }))
    }

    /// Sees to it that the marker is there, and returns it and whether it was before.
    ///
    /// It is not waited for until it is on the disk, which can take longer than the reserve lasts: a power cut that
    /// loses it also ends the freeze.
    fn mark(&self, dir: &Dir) -> Result<File> {
        if dir.exists(layout::PAUSED)? {
            return Ok(dir.open_file(layout::PAUSED, How::ReadWrite)?);
        }
        let make = || dir.open_file(layout::PAUSED, How::CreateNew);
        Ok(self.store.ballast.give_way(make)?)
    }

    /// Thaws the volume if it is marked, and forgets about it. A copy that is being taken of it is waited for.
    pub(super) fn resume(&self, id: &VolumeId) -> Result<()> {
        let _turn = self.turn(id);
        let volumes = self.store.parent::<VolumeId>();
        let is_marked = match volumes.open_dir(id.to_string()) {
            Ok(dir) => dir.exists(layout::PAUSED)?,
            Err(failure) if failure.is_not_found() => false,
            Err(failure) => return Err(failure.into()),
        };
        if is_marked {
            let held = hold_patiently(&self.store, id)?;
            thaw(volumes, id, &held.dir)?;
            fault::point("resume: thawed");
            held.dir.remove_file(layout::PAUSED)?;
        }
        self.lock().paused.remove(id);
        Ok(())
    }

    /// Returns the volumes that are mounted for writing, each with a mount to freeze it through. Those that only the
    /// driver has mounted, to finish a copy, are left alone.
    pub(super) fn mounted(&self) -> Result<Vec<(VolumeId, Mount)>> {
        let (volumes, table) = (self.store.parent::<VolumeId>(), MountTable::read()?);
        let mut all = Vec::new();
        for (device, shown) in loops::attached()? {
            let Some(id) = volume_of(Path::new(&shown)) else { continue };
            // What cannot be asked belongs to a disk that is dead, and to no pool that could be filled.
            if !is_image_of(volumes, &id, &device).unwrap_or(false) {
                continue;
            }
            let mounts = table.iter().filter(|mount| {
                uses::is_of(mount, &device)
                    && !mount.is_stopped()
                    && !mount.at.starts_with(&self.settings.mount_dir)
            });
            let mut mounts = mounts.filter(|mount| freeze::is_in_sight(mount));
            all.extend(mounts.next().map(|mount| (id, mount.clone())));
        }
        Ok(all)
    }
}

// === impl Stopped ===

impl Stopped<'_> {
    /// Leaves the volume frozen, and says so where copies and health look for it.
    pub(super) fn confirm(self) {
        let id = self.turn.id;
        let noted = self.marker.write_all_at(WORD, 0);
        if let Err(error) = noted {
            tracing::warn!(volume = %id, %error, "that it is paused cannot be noted");
        }
        self.turn.pausing.lock().paused.insert(id.clone());
    }

    /// Lets the volume go on at once. Its marker stays for the next time: empty, it says nothing.
    pub(super) fn release(self) {
        let thawed = self.frozen.map(FrozenForLong::thaw).transpose();
        if let Err(failure) = thawed {
            tracing::error!(volume = %self.turn.id, cause = %failure.source, "{failure}");
            self.turn.pausing.lock().paused.insert(self.turn.id.clone());
        }
    }
}

/// Whether the marker in the volume's directory says that it is frozen.
pub(in crate::backend::image) fn is_paused(dir: &Dir) -> crate::sys::Result<bool> {
    Ok(look(dir, layout::PAUSED)?.is_some_and(|stat| stat.st_size > 0))
}

/// Thaws through the first mount that can be reached. One whose mounts are all gone, as with the mount namespace of a
/// killed driver, is mounted once more for that.
fn thaw(volumes: &Dir, id: &VolumeId, dir: &Dir) -> Result<()> {
    let image = match open_image(dir) {
        Ok(image) => image,
        Err(failure) if failure.is_not_found() => return Ok(()),
        Err(failure) => return Err(failure.into()),
    };
    let Some(used) = uses::of_image(&image)? else { return Ok(()) };
    if used.mounts.iter().any(|mount| freeze::thaw(mount).is_ok()) {
        return Ok(());
    }
    thaw_unseen(volumes, id, &used)
}

fn thaw_unseen(volumes: &Dir, id: &VolumeId, used: &Use) -> Result<()> {
    let entry = scan::entry::<VolumeRecord>(volumes, id)?;
    let content = entry.and_then(|entry| Some(entry.record.ok()?.volume.content));
    let Some(Content::FileSystem(fs)) = content else { return Ok(()) };
    let mount = DetachedMount::make(fs.as_str(), &used.device.path, &MountOptions::default())?;
    freeze::thaw_detached(&mount)?;
    Ok(())
}

/// Returns which volume's image this is by its name, if it is one.
fn volume_of(image: &Path) -> Option<VolumeId> {
    let mut parts = image.iter().rev();
    (parts.next()? == layout::IMAGE).then_some(())?;
    let id: VolumeId = parts.next()?.to_str()?.parse().ok()?;
    (parts.next()? == OsStr::new(layout::VOLUMES)).then_some(id)
}

/// Another pool on this machine may have a volume of that name.
fn is_image_of(volumes: &Dir, id: &VolumeId, device: &LoopDevice) -> Result<bool> {
    let image = volumes.open_dir(id.to_string()).and_then(|dir| open_image(&dir));
    let image = match image {
        Ok(image) => Backing::of(&image)?,
        Err(failure) if failure.is_not_found() => return Ok(false),
        Err(failure) => return Err(failure.into()),
    };
    Ok(loopdev::status(device)?.is_some_and(|status| status.backing == image))
}
