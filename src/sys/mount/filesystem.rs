//! Mounts a file system, and passes on what the kernel has to say when it will not.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount,
    fsopen,
};

use super::{MountOptions, flags, target};
use crate::sys::failure::{Failure, Result};

/// How many messages are read from a mount context; the kernel keeps eight.
const MESSAGES: usize = 8;

/// Mounts the file system `fs` of `source` at `target`.
///
/// It appears there complete or not at all. The mount is private, unless the mount that holds `target` is
/// shared: then its peers get it too.
pub fn mount(fs: &str, source: &Path, target: &Path, options: &MountOptions) -> Result<()> {
    let doing = || format!("mount {fs} {} at {}", source.display(), target.display());
    let mount = make(fs, source, options, doing)?;
    target::attach(mount, target).map_err(|errno| Failure::new(doing(), errno))
}

/// Makes a mount that is nowhere to be seen yet, and that is gone when the descriptor is closed.
pub(in crate::sys) fn make(
    fs: &str,
    source: &Path,
    options: &MountOptions,
    doing: impl Fn() -> String,
) -> Result<OwnedFd> {
    let context =
        fsopen(fs, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| Failure::new(doing(), errno))?;
    configured(&context, source, options)
        .map_err(|errno| Failure::new(doing(), errno).with_kernel_message(kernel_message(&context)))
}

/// Tells the context what is wanted, and makes the mount from it.
fn configured(context: &OwnedFd, source: &Path, options: &MountOptions) -> Result<OwnedFd, Errno> {
    let sorted = flags::sort(options);
    fsconfig_set_string(context, "source", source)?;
    for flag in sorted.filesystem {
        match flag.split_once('=') {
            Some((name, value)) => fsconfig_set_string(context, name, value)?,
            None => fsconfig_set_flag(context, flag)?,
        }
    }
    fsconfig_create(context)?;
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, sorted.attributes)
}

/// Reads what the kernel wrote about a failure, such as `xfs: Unknown parameter 'nosuch'`.
fn kernel_message(context: impl AsFd) -> Option<String> {
    let mut messages = Vec::new();
    let mut buffer = [0; 1024];
    // One read returns one message; ENODATA ends them.
    while let Ok(length) = rustix::io::read(&context, &mut buffer) {
        let message = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        // Each begins with its level: `e ` for errors, `w ` for warnings, `i ` for information.
        messages.push(message.trim_end().chars().skip(2).collect::<String>());
        if length == 0 || messages.len() >= MESSAGES {
            break;
        }
    }
    (!messages.is_empty()).then(|| messages.join("; "))
}
