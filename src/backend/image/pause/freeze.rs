//! Freezes the mounted volumes of a pool, all at once, and thaws them.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::{Pausing, Turn};
use crate::backend::image::copy::lift;
use crate::backend::image::copying::hold_patiently;
use crate::backend::image::error::Result;
use crate::backend::image::inspect::loops;
use crate::backend::image::layout;
use crate::backend::image::record::VolumeRecord;
use crate::backend::image::scan;
use crate::backend::image::store::{look, open_image};
use crate::backend::image::uses::{self, Use};
use crate::fault;
use crate::sys::DeviceNumber;
use crate::sys::beneath::{Dir, How};
use crate::sys::freeze::{self, FrozenForLong};
use crate::sys::loopdev::{self, Backing, LoopDevice};
use crate::sys::mount::{DetachedMount, MountOptions};
use crate::sys::mountinfo::{Mount, MountTable};
use crate::volume::{Content, Volume, VolumeId};

/// What is in the marker while the volume is frozen.
const WORD: &[u8] = b"paused\n";

/// How long the other volumes wait for one whose disk is slow, or whose writers do not come to an end: a kernel that
/// has a write half done freezes behind it.
const TOGETHER: Duration = Duration::from_millis(500);

/// A volume that is mounted for writing.
pub(super) struct Mounted {
    id: VolumeId,
    /// A mount to freeze it through.
    mount: Mount,
    /// What its limits are set for.
    device: DeviceNumber,
}

/// A volume that was frozen just now. Nobody else freezes or thaws it before this is dropped: then it is paused if
/// its pool is full, and goes on otherwise.
#[derive(Debug)]
#[must_use = "what becomes of the volume is decided when this is dropped"]
pub(super) struct Stopped {
    turn: Turn,
    marker: File,
    /// Nothing when an earlier driver has frozen it.
    frozen: Option<FrozenForLong>,
}

/// The time in which a volume is being frozen.
struct Stopping<'a>(&'a Pausing);

impl Pausing {
    /// Freezes the volumes, and returns those that are frozen before the others would have to wait for the rest. One
    /// that comes later decides for itself. One that cannot be frozen now is tried again.
    pub(super) fn stop_all(self: &Arc<Self>, mounted: Vec<Mounted>) -> Vec<Stopped> {
        let (done, stopped) = mpsc::channel();
        // Side by side: each freeze waits for its volume's disk.
        for one in mounted {
            let (this, done) = (Arc::clone(self), done.clone());
            let stop = move || match this.stop_one(&one) {
                // When nobody waits any more, it comes back, and is dropped.
                Ok(stopped) => drop(stopped.map(|stopped| done.send(stopped))),
                Err(error) => {
                    let why = crate::error::Error::from(error).sentence();
                    tracing::warn!(volume = %one.id, why, "the pool is full, and this volume is not paused");
                }
            };
            on_a_thread("stopping", stop);
        }
        drop(done);
        let end = Instant::now() + TOGETHER;
        let left = || end.saturating_duration_since(Instant::now());
        std::iter::from_fn(|| stopped.recv_timeout(left()).ok()).collect()
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
            on_a_thread("resuming", resume);
        }
    }

    fn stop_one(self: &Arc<Self>, one: &Mounted) -> Result<Option<Stopped>> {
        let Mounted { id, mount, .. } = one;
        let Some(turn) = self.turn_now(id) else { return Ok(None) };
        let is_ours = {
            let state = self.lock();
            if state.running.contains_key(id) {
                return Ok(None);
            }
            state.paused.contains(id)
        };
        let volumes = self.store.parent::<VolumeId>();
        let marker = self.mark(&volumes.open_dir(id.to_string())?)?;
        fault::point("pause: marked");
        let stopping = Stopping::begin(self);
        let _lifted = is_limited(volumes, id).then(|| lift(one.device));
        let frozen = match freeze::freeze_for_long(mount) {
            Ok(frozen) => Some(frozen),
            Err(failure) if failure.errno() == Some(Errno::BUSY) && is_ours => None,
            // A copy has it frozen for a moment, or somebody else for a reason of his own.
            Err(failure) if failure.errno() == Some(Errno::BUSY) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        drop(stopping);
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
    pub(super) fn resume(self: &Arc<Self>, id: &VolumeId) -> Result<()> {
        let _turn = self.turn(id);
        let volumes = self.store.parent::<VolumeId>();
        if volumes.exists_in(id.as_str(), layout::PAUSED)? {
            let held = hold_patiently(&self.store, id)?;
            thaw(volumes, id, &held.dir)?;
            fault::point("resume: thawed");
            held.dir.remove_file(layout::PAUSED)?;
        }
        self.lock().paused.remove(id);
        Ok(())
    }

    /// Returns the volumes that are mounted for writing. Those that only the driver has mounted, to finish a copy,
    /// are left alone.
    pub(super) fn mounted(&self) -> Result<Vec<Mounted>> {
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
            let (mount, device) = (mounts.next().cloned(), device.number);
            all.extend(mount.map(|mount| Mounted { id, mount, device }));
        }
        Ok(all)
    }
}

// === impl Stopping ===

impl<'a> Stopping<'a> {
    fn begin(pausing: &'a Pausing) -> Self {
        pausing.lock().stopping += 1;
        Self(pausing)
    }
}

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.lock().stopping -= 1;
    }
}

// === impl Stopped ===

impl Stopped {
    /// Says that it is frozen where copies look for it.
    fn note(&self) {
        if let Err(error) = self.marker.write_all_at(WORD, 0) {
            let id = &self.turn.id;
            tracing::warn!(volume = %id, %error, "that it is paused cannot be noted");
        }
    }

    /// Lets the volume go on at once. Its marker stays for the next time: empty, it says nothing.
    fn release(&mut self) {
        let thawed = self.frozen.take().map(FrozenForLong::thaw).transpose();
        if let Err(failure) = thawed {
            let id = &self.turn.id;
            tracing::error!(volume = %id, cause = %failure.source, "{failure}");
            self.turn.pausing.lock().paused.insert(id.clone());
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let is_full = {
            let mut state = self.turn.pausing.lock();
            // In one step: whoever finds room lets all go on that are paused, and waits for the turn of each.
            if state.full {
                state.paused.insert(self.turn.id.clone());
            }
            state.full
        };
        if is_full { self.note() } else { self.release() }
    }
}

/// Says whether the volume has limits, by its record. One that cannot be read says nothing: it is frozen all the same.
fn is_limited(volumes: &Dir, id: &VolumeId) -> bool {
    let found = volume(volumes, id).ok().flatten();
    found.is_some_and(|volume| !volume.limits.is_none())
}

/// Returns the volume by its record on the disk, if that can be understood.
fn volume(volumes: &Dir, id: &VolumeId) -> Result<Option<Volume>> {
    let entry = scan::entry::<VolumeRecord>(volumes, id)?;
    Ok(entry.and_then(|entry| Some(entry.record.ok()?.volume)))
}

fn on_a_thread(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(work) {
        tracing::error!(%error, "no thread could be started");
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
    let content = volume(volumes, id)?.map(|volume| volume.content);
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
    let image = match volumes.open_file_in(id.as_str(), layout::IMAGE, How::ReadWrite) {
        Ok(image) => Backing::of(&image)?,
        Err(failure) if failure.is_not_found() => return Ok(false),
        Err(failure) => return Err(failure.into()),
    };
    Ok(loopdev::status(device)?.is_some_and(|status| status.backing == image))
}
