//! Attaches a file to a loop device, or finds the one it is attached to.

mod fresh;
mod reuse;
mod turn;

use std::fs::File;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::status::find_of;
use super::{Backing, Image, LoopDevice, LoopStatus};
use crate::sys::failure::{Doing, Failure, Result};

/// How long we wait for the lock of a file.
const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// How a file is to be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachOptions {
    /// Whether the device can only be read.
    pub read_only: bool,
    /// The smallest piece that the device reads or writes: 512 or 4096.
    pub block_size: u32,
    /// Whether the kernel shall read and write the file past its page cache.
    pub direct_io: bool,
    /// Whether the file is detached when the last user is gone.
    pub autoclear: bool,
}

/// A loop device with the file that was asked for, kept open.
///
/// As long as this lives the device cannot vanish, even one that is to be detached with its last user, and
/// udev keeps away from it.
#[derive(Debug)]
#[must_use = "a device that is detached with its last user may vanish at once when this is dropped"]
pub struct AttachedLoop {
    /// Which device.
    pub device: LoopDevice,
    /// Whether it can only be read. One that was attached writable stays so, whatever was asked for.
    pub read_only: bool,
    /// Whether direct I/O is on. The kernel turns it off where the file or the block size does not allow it.
    pub direct_io: bool,
    /// Whether the file was attached already.
    pub reused: bool,
    file: File,
}

/// Attaches `image`, or finds the device that it is attached to.
///
/// A device with another block size, or that begins or ends elsewhere in the file, is an error, and so is one
/// that can only be read when writing was asked for. After an error nothing is attached that was not before.
pub fn attach<'a>(image: impl Into<Image<'a>>, options: AttachOptions) -> Result<AttachedLoop> {
    let image = image.into();
    // Between the look and the attaching nobody else may attach the same file, in this process or another.
    let lock = Lock::of(image)?;
    // Not before the lock is all that has it open: then one question tells that no device has it.
    let devices = find_of(lock.file())?;
    let file = image.open(options.read_only)?;
    match devices.as_slice() {
        [] => fresh::attach(&file, image, options),
        [device] => match reuse::attach(device, Backing::of(&file)?, image, options)? {
            Some(attached) => Ok(attached),
            // It was detached with its last user just now.
            None => fresh::attach(&file, image, options),
        },
        several => Err(Failure::refused(doing(image), format!("it is behind {several:?}"))),
    }
}

/// The lock of a file, on the caller's descriptor or on one of our own, but never on the one that the loop device gets:
/// that one lives as long as the device.
#[derive(Debug)]
enum Lock<'a> {
    Callers(&'a File),
    Ours(File),
}

impl<'a> Lock<'a> {
    /// Locks the file itself. EWOULDBLOCK when somebody else keeps it locked: whoever attaches has it for milliseconds.
    fn of(image: Image<'a>) -> Result<Self> {
        let lock = match image {
            Image::File(file) => Self::Callers(file),
            Image::Path(_) => Self::Ours(image.open(true)?),
        };
        let begin = Instant::now();
        loop {
            match rustix::fs::flock(lock.file(), FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(lock),
                Err(Errno::WOULDBLOCK) if begin.elapsed() < PATIENCE => sleep(BETWEEN_TRIES),
                Err(errno) => return Err(errno).doing(|| format!("lock {image}")),
            }
        }
    }

    fn file(&self) -> &File {
        match self {
            Self::Callers(file) => file,
            Self::Ours(file) => file,
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        if let Err(errno) = rustix::fs::flock(self.file(), FlockOperation::Unlock) {
            tracing::warn!(%errno, "a file stays locked until it is closed");
        }
    }
}

fn doing(image: Image<'_>) -> String {
    format!("attach {image} to a loop device")
}

// === impl AttachedLoop ===

impl AttachedLoop {
    fn new(device: LoopDevice, status: LoopStatus, reused: bool, file: File) -> Self {
        let LoopStatus { read_only, direct_io, .. } = status;
        Self { device, read_only, direct_io, reused, file }
    }

    /// Returns the device's open file.
    pub fn file(&self) -> &File {
        &self.file
    }
}
