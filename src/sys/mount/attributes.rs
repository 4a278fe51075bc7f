//! Sets the options of a mount that is not yet seen anywhere.

#![expect(unsafe_code, reason = "no crate that we use wraps mount_setattr")]

use std::os::fd::{AsRawFd, OwnedFd};

use linux_raw_sys::general::{AT_EMPTY_PATH, AT_RECURSIVE, mount_attr};
use nix::libc;
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::Reach;

/// Adds `attributes` to the detached mount `tree` and takes it out of every peer group.
///
/// What the source of a bind mount forbids (`ro`, `nosuid`) stays forbidden: nothing is ever taken away.
pub(in crate::sys) fn set(
    tree: &OwnedFd,
    attributes: MountAttrFlags,
    reach: Reach,
) -> Result<(), Errno> {
    change(tree, attributes, replaced(attributes), reach)
}

/// Lets the detached mount `tree` be written through, if its file system can be.
pub(in crate::sys) fn allow_writes(tree: &OwnedFd) -> Result<(), Errno> {
    let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY;
    change(tree, MountAttrFlags::empty(), read_only, Reach::Alone)
}

fn change(
    tree: &OwnedFd,
    added: MountAttrFlags,
    cleared: MountAttrFlags,
    reach: Reach,
) -> Result<(), Errno> {
    let request = mount_attr {
        attr_set: added.bits().into(),
        attr_clr: cleared.bits().into(),
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    let flags = match reach {
        Reach::Alone => AT_EMPTY_PATH,
        Reach::Recursive => AT_EMPTY_PATH | AT_RECURSIVE,
    };
    // SAFETY: the descriptor is open for the whole call, the path is an empty C string, and the kernel reads
    // exactly the size that is passed from a structure laid out as it expects.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const request,
            size_of::<mount_attr>(),
        )
    };
    match answer {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
    }
}

/// Returns what must be cleared first. How access times are kept is one choice of several and not a set of
/// bits; the kernel wants the old choice cleared in the same call.
fn replaced(attributes: MountAttrFlags) -> MountAttrFlags {
    if attributes.intersects(MountAttrFlags::MOUNT_ATTR__ATIME) {
        MountAttrFlags::MOUNT_ATTR__ATIME
    } else {
        MountAttrFlags::empty()
    }
}
