//! A file that is not attached yet.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use linux_raw_sys::loop_device::{
    LO_FLAGS_AUTOCLEAR, LO_FLAGS_DIRECT_IO, LO_FLAGS_READ_ONLY, loop_config, loop_info64,
};
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::turn::Turn;
use super::{AttachOptions, AttachedLoop, doing};
use crate::sys::block;
use crate::sys::failure::{Doing, Failure, Result};
use crate::sys::loopdev::{Image, LoopDevice, LoopStatus, ioctl, node, status};

const CONTROL: &str = "/dev/loop-control";

/// How long we try to get a free device that others want too.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_TRIES: Duration = Duration::from_micros(200);

/// Attaches `file` to a free device.
pub(super) fn attach(
    file: &File,
    image: Image<'_>,
    options: AttachOptions,
) -> Result<AttachedLoop> {
    // The kernel does that too, with the device locked that is the next for everybody: a disk that hangs, or one with
    // much to write, keeps only its own images from being attached.
    rustix::fs::fsync(file).doing(|| format!("write {image} to the disk"))?;
    let control = File::open(CONTROL).doing(|| format!("open {CONTROL}"))?;
    let config = config(file, options);
    let begin = Instant::now();
    loop {
        // Between the answer and the attaching, another process may have taken the same device.
        match configure_free(&control, &config) {
            Ok((device, open)) => return checked(device, open, image, options),
            Err(failure) if is_taken(&failure) && begin.elapsed() < PATIENCE => {
                sleep(BETWEEN_TRIES);
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Attaches the file of `config` to a device that is free, and locked first: udev looks into every new block
/// device, but leaves those alone whose lock it cannot have.
fn configure_free(control: &File, config: &loop_config) -> Result<(LoopDevice, File)> {
    let doing = || "get a free loop device";
    // Other processes take some, too; only our own threads can take turns.
    let _turn = Turn::within(PATIENCE).ok_or(Errno::TIMEDOUT).doing(doing)?;
    let number = ioctl::free_number(control).doing(doing)?;
    let device = node::device(number.unsigned_abs())?;
    let open = node::open_writable(&device)?;
    rustix::fs::flock(&open, FlockOperation::NonBlockingLockExclusive)
        .doing(|| format!("lock {device}"))?;
    ioctl::configure(&open, config).doing(|| format!("configure {device}"))?;
    Ok((device, open))
}

/// Says whether the device got a file, a lock, or was removed meanwhile.
fn is_taken(failure: &Failure) -> bool {
    matches!(failure.errno(), Some(Errno::BUSY | Errno::AGAIN | Errno::NXIO | Errno::NOENT))
}

/// Reads back what became of the settings. The kernel takes some as wishes.
fn checked(
    device: LoopDevice,
    open: File,
    image: Image<'_>,
    options: AttachOptions,
) -> Result<AttachedLoop> {
    // The device may still refuse writes from the time of an earlier file: the kernel keeps that with its number.
    let writable = block::set_read_only_of(&open, options.read_only)
        .doing(|| format!("make {device} take writes"));
    let refused = match writable.and_then(|()| status::of_open(&open, &device)) {
        Ok(Some(status)) => match mismatch(&status, options) {
            None => return Ok(AttachedLoop::new(device, status, false, open)),
            Some(reason) => Failure::refused(doing(image), reason),
        },
        Ok(None) => Failure::refused(doing(image), format!("{device} lost it at once")),
        Err(failure) => failure,
    };
    if let Err(errno) = ioctl::clear(&open) {
        tracing::warn!(%device, %errno, "could not be detached again");
    }
    Err(refused)
}

fn mismatch(status: &LoopStatus, wanted: AttachOptions) -> Option<String> {
    let LoopStatus { block_size, .. } = *status;
    (block_size != wanted.block_size)
        .then(|| format!("its blocks have {block_size} bytes and not {}", wanted.block_size))
}

fn config(file: &File, options: AttachOptions) -> loop_config {
    let flags = [
        (options.read_only, LO_FLAGS_READ_ONLY as u32),
        (options.direct_io, LO_FLAGS_DIRECT_IO as u32),
        (options.autoclear, LO_FLAGS_AUTOCLEAR as u32),
    ];
    let wanted = flags.into_iter().filter(|(wanted, _)| *wanted);
    loop_config {
        fd: file.as_raw_fd().unsigned_abs(),
        block_size: options.block_size,
        info: loop_info64 { lo_flags: wanted.fold(0, |all, (_, flag)| all | flag), ..ioctl::EMPTY },
        __reserved: [0; 8],
    }
}
