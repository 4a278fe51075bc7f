//! Mounts a copy once where nobody sees it, so that the kernel replays its log, and grows it there.

use std::path::Path;

use crate::fault;
use crate::fs::{Error, grow};
use crate::sys::loopdev::{self, AttachOptions};
use crate::sys::mount::{DetachedMount, MountOptions};
use crate::sys::{Failure, blocking};

use super::Copy;

/// Whatever block size the volume is used with later: each file system of ours has sectors of 4096 bytes. The
/// device goes with the mount, and both with us.
const OPTIONS: AttachOptions =
    AttachOptions { read_only: false, block_size: 4096, direct_io: true, autoclear: true };

/// Mounts the copy, grows it if that is pending, and unmounts it.
pub(super) async fn visit(copy: &Copy<'_>, flags: &'static [&'static str]) -> Result<(), Error> {
    let (image, fs, grow) = (copy.image.to_owned(), copy.fs, copy.pending.grow);
    blocking(move || {
        let device = attach(&image)?;
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        let options = MountOptions { read_only: false, flags };
        let mount = DetachedMount::make(fs.as_str(), &device.device.path, &options)?;
        fault::point("finish: replayed");
        if grow {
            grow::mounted(&mount.root(), fs)?;
            fault::point("finish: grown");
        }
        mount.unmount();
        drop(device);
        wait_until_free(&image)
    })
    .await
}

/// Waits until the image has no device, and with it no mount, any more.
///
/// Our descriptors are closed, but between the fork and the exec of a program that another thread starts, its
/// process has them too. The file system is mounted for as long, and what comes next must not be.
fn wait_until_free(image: &Path) -> Result<(), Error> {
    if loopdev::detach_image(image)? {
        return Ok(());
    }
    let doing = format!("unmount {} after its log was replayed", image.display());
    Err(Failure::refused(doing, "somebody has its device open").into())
}

/// Attaches the image. A device that a killed run left may still have the size the image had then.
fn attach(image: &Path) -> Result<loopdev::AttachedLoop, Error> {
    let attached = loopdev::attach(image, OPTIONS)?;
    if attached.reused {
        loopdev::set_capacity(&attached.device)?;
    }
    Ok(attached)
}
