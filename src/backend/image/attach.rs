//! Makes volumes devices of this node, and takes the devices away.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Once};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::ImagePool;
use super::copying::hold_real;
use super::error::{Error, Result};
use super::last_seen::LastSeen;
use super::layout;
use super::record::VolumeRecord;
use super::store::{Held, open_image};
use super::surplus;
use super::uses::{self, Use};
use crate::backend::{Attached, Device, Ensured, Hold};
use crate::error::Noun;
use crate::fault;
use crate::fs;
use crate::sys::beneath::DirLock;
use crate::sys::blocking;
use crate::sys::failure::Doing;
use crate::sys::loopdev::{self, AttachOptions, AttachedLoop, LoopDevice};
use crate::volume::{BlockSize, Bytes, Content, FsType, VolumeId};

/// What is held between attach and mount: the device, which would go without a user, and the volume, which no
/// other call and no program may work on meanwhile.
#[derive(Debug)]
struct Ready {
    _device: AttachedLoop,
    _lock: DirLock,
}

impl Hold for Ready {}

impl ImagePool {
    /// Makes the volume a device, ready to be mounted.
    pub(super) async fn attach_volume(&self, id: &VolumeId) -> Result<Attached> {
        let record = self.volumes.get(id).await?;
        self.pausing.admits()?;
        let held = self.hold_whole(&record).await?;
        // What is mounted has been made ready before, and no program may touch it.
        let pending = record.pending.is_some() && !self.is_in_use(id).await?;
        let record = if pending { self.finish(record, &held).await? } else { record };
        let attached = self.attach_image(&record).await?;
        fault::point("attach: attached");
        let is_ext4 = record.volume.content == Content::FileSystem(FsType::Ext4);
        // Nobody can have mounted a device that was not there before.
        if is_ext4 && !(attached.reused && self.is_in_use(id).await?) {
            self.prepare_ext4(&record, &attached, &held.lock).await?;
        }
        let device = device(&attached.device);
        let ready = Ready { _device: attached, _lock: held.lock };
        Ok(Attached { device, hold: Box::new(ready) })
    }

    /// Returns the device that the volume is now.
    pub(super) async fn device_of(&self, id: &VolumeId) -> Result<Option<Device>> {
        let found = self.ask_image(id, LastSeen::device_of).await?;
        Ok(found.map(|found| device(&found)))
    }

    /// Succeeds when the volume is no device.
    pub(super) async fn detach_volume(&self, id: &VolumeId) -> Result<Ensured<()>> {
        let used = match self.use_of(id).await {
            Ok(Some(used)) => used,
            Ok(None) => return Ok(Ensured::Found(())),
            Err(error) => return self.detach_lost(id, error).await,
        };
        let in_use = |by: String| Error::InUse { what: Noun::Volume, id: id.to_string(), by };
        if used.is_seen() {
            return Err(in_use(used.to_string()));
        }
        let path = self.store.image_path(id);
        let free = blocking(move || loopdev::detach_image(&path)).await?;
        if free { Ok(Ensured::Made(())) } else { Err(in_use(used.to_string())) }
    }

    /// Takes away the device of a volume whose disk does not answer: it would hold the dead file system, and its
    /// name is all that is left to know it by.
    async fn detach_lost(&self, id: &VolumeId, why: Error) -> Result<Ensured<()>> {
        let path = self.store.image_path(id);
        // From the root of its mount, where the namespace in which it was attached is gone.
        let is_meant =
            move |name: &Path| name.strip_prefix("/").is_ok_and(|tail| path.ends_with(tail));
        let any = blocking(move || loopdev::detach_lost(is_meant)).await?;
        if any { Ok(Ensured::Made(())) } else { Err(why) }
    }

    /// Lets the volume's device take the size that the volume has.
    pub(super) async fn grow_device_of(&self, id: &VolumeId) -> Result<Bytes> {
        let record = self.volumes.get(id).await?;
        if let Some(used) = self.use_of(id).await? {
            let _held = self.hold_whole(&record).await?;
            blocking(move || loopdev::set_capacity(&used.device)).await?;
        }
        Ok(record.volume.size)
    }

    /// Returns what the kernel does with the volume's image. The record is not asked: what is mounted has to be
    /// unmounted, also when nobody can read what it is.
    pub(super) async fn use_of(&self, id: &VolumeId) -> Result<Option<Use>> {
        self.ask_image(id, LastSeen::use_of).await
    }

    /// Says whether the volume is mounted or bound where the driver can see it.
    async fn is_in_use(&self, id: &VolumeId) -> Result<bool> {
        Ok(self.use_of(id).await?.is_some_and(|used| used.is_seen()))
    }

    /// Asks something of the volume's image, if it has one.
    async fn ask_image<T: Send + 'static>(
        &self,
        id: &VolumeId,
        ask: impl FnOnce(&LastSeen, &VolumeId, &File) -> crate::sys::Result<Option<T>> + Send + 'static,
    ) -> Result<Option<T>> {
        let (store, seen, id) = (Arc::clone(&self.store), Arc::clone(&self.seen), id.clone());
        blocking(move || match store.image_of(&id) {
            Ok(image) => Ok(ask(&seen, &id, &image)?),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.into()),
        })
        .await
    }

    /// Brings an ext4 in order, and makes it as large as its device.
    async fn prepare_ext4(
        &self,
        record: &VolumeRecord,
        attached: &AttachedLoop,
        lock: &DirLock,
    ) -> Result<()> {
        let device = &attached.device.path;
        if is_claimed(device).await? {
            tracing::warn!(
                volume = %record.volume.id,
                device = %device.display(),
                "not checked: it is mounted where the driver cannot see it",
            );
            return Ok(());
        }
        let checked = fs::check(device, FsType::Ext4, lock.duplicate()?).await;
        checked.map_err(|error| error.of_image(&self.store.image_path(&record.volume.id)))?;
        if record.grow {
            fs::grow::unmounted_ext4(device, lock.duplicate()?).await?;
            fault::point("attach: grown");
            self.change(&record.volume.id, |record| record.grow = false).await?;
        }
        Ok(())
    }

    /// Locks the volume, and sees to it that its image has what the record says, no less and no more.
    async fn hold_whole(&self, record: &VolumeRecord) -> Result<Held> {
        let (store, record) = (Arc::clone(&self.store), record.clone());
        let (volumes, ledger) = (Arc::clone(&self.volumes), Arc::clone(&self.ledger));
        blocking(move || {
            let held = hold_real(&store, &record)?;
            unpause(&held)?;
            if surplus::cut_off(&held, &record)? > Bytes::ZERO {
                let (size, counted) = (record.volume.size, volumes.counted(&record.volume.id));
                volumes.put(record, size);
                ledger.correct(counted, size);
            }
            Ok(held)
        })
        .await
    }

    async fn attach_image(&self, record: &VolumeRecord) -> Result<AttachedLoop> {
        let (store, seen) = (Arc::clone(&self.store), Arc::clone(&self.seen));
        let (id, options) = (record.volume.id.clone(), options(record));
        blocking(move || {
            let image = store.image_of(&id)?;
            let attached = match loopdev::attach(&image, options) {
                // Somebody else has a lock on the image.
                Err(failure) if failure.errno() == Some(Errno::WOULDBLOCK) => {
                    return Err(Error::Busy { id: id.to_string() });
                }
                answer => answer?,
            };
            seen.note(&id, &attached.device);
            if options.direct_io && !attached.direct_io {
                warn_of_cache(&attached.device);
            }
            if attached.reused {
                // It may be from before an expand.
                loopdev::set_capacity(&attached.device)?;
            }
            Ok(attached)
        })
        .await
    }
}

/// Takes the mark of a paused volume away where no device could be frozen: a power cut ends a freeze and leaves the mark,
/// and a copy would take the volume for frozen, whatever is written to it.
fn unpause(held: &Held) -> Result<()> {
    let is_marked = held.dir.exists(layout::PAUSED)?;
    if is_marked && uses::of_image(&open_image(&held.dir)?)?.is_none() {
        held.dir.remove_file(layout::PAUSED)?;
    }
    Ok(())
}

/// Says whether the kernel uses the device for itself, as it does for a mount.
async fn is_claimed(device: &Path) -> Result<bool> {
    let device = device.to_owned();
    blocking(move || {
        let flags = OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC;
        match rustix::fs::open(&device, flags, Mode::empty()) {
            Ok(_) => Ok(false),
            Err(Errno::BUSY) => Ok(true),
            Err(errno) => Ok(Err(errno).doing(|| format!("open {}", device.display()))?),
        }
    })
    .await
}

/// The reason is the pool's file system and not the volume, so that once is enough.
fn warn_of_cache(device: &LoopDevice) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            %device,
            "the kernel refuses direct I/O to the images, because the pool's file system or the disk below it does not \
             take it with such blocks: what volumes hold is cached twice",
        );
    });
}

/// Only 4096-byte blocks allow direct I/O: a file that shares extents takes no smaller ones. The device of a file
/// system goes with its mount; a raw one waits for its pod and stays until it is detached.
fn options(record: &VolumeRecord) -> AttachOptions {
    let block_size = record.volume.block_size;
    AttachOptions {
        read_only: false,
        block_size: block_size.bytes(),
        direct_io: block_size == BlockSize::B4096,
        autoclear: record.volume.content != Content::Block,
    }
}

fn device(device: &LoopDevice) -> Device {
    Device { path: device.path.clone(), number: device.number }
}
