//! The kernel's answer about one mount: a structure, and behind it the texts that it points to.

#![expect(unsafe_code, reason = "the answer is bytes, which begin with a structure")]

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use linux_raw_sys::general::{
    MOUNT_ATTR__ATIME, MOUNT_ATTR_IDMAP, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY, MOUNT_ATTR_RELATIME, STATMOUNT_FS_SUBTYPE, STATMOUNT_FS_TYPE,
    STATMOUNT_MNT_OPTS, STATMOUNT_MNT_POINT, STATMOUNT_MNT_ROOT, STATMOUNT_SB_SOURCE, statmount,
};
use nix::libc;

use crate::sys::device::DeviceNumber;
use crate::sys::failure::{Failure, Result};
use crate::sys::mountinfo::{Mount, Options};

/// What nearly every mount needs, in units of eight bytes: the structure has 512 bytes.
const WORDS: usize = 256;

/// Room for an answer, laid out for a structure of such words.
#[derive(Debug)]
pub(super) struct Reply(Vec<u64>);

// === impl Reply ===

impl Reply {
    pub(super) fn new() -> Self {
        Self(vec![0; WORDS])
    }

    pub(super) fn grow(&mut self) {
        self.0.resize(self.0.len() * 2, 0);
    }

    /// Returns where the answer goes, and how many bytes it may have.
    pub(super) fn room(&mut self) -> (*mut u64, usize) {
        (self.0.as_mut_ptr(), self.0.len() * size_of::<u64>())
    }

    /// Reads the answer as the row of the mount table that it would be.
    pub(super) fn mount(&self) -> Result<Mount> {
        let told = self.head();
        let groups = |group: u64| (group != 0).then_some(group);
        let has = |kind: u64| told.mnt_propagation & kind != 0;
        let subtype = self.text(told, STATMOUNT_FS_SUBTYPE, told.fs_subtype)?;
        let mut fs_type = lossy(self.text(told, STATMOUNT_FS_TYPE, told.fs_type)?);
        if !subtype.is_empty() {
            fs_type = format!("{fs_type}.{}", lossy(subtype));
        }
        Ok(Mount {
            id: told.mnt_id_old,
            parent: told.mnt_parent_id_old,
            device: DeviceNumber { major: told.sb_dev_major, minor: told.sb_dev_minor },
            root: path(self.text(told, STATMOUNT_MNT_ROOT, told.mnt_root)?),
            at: path(self.text(told, STATMOUNT_MNT_POINT, told.mnt_point)?),
            options: options(told.mnt_attr),
            shared: groups(told.mnt_peer_group).filter(|_| has(libc::MS_SHARED)),
            master: groups(told.mnt_master),
            // The table leaves it out where the master itself is in sight.
            propagate_from: groups(told.propagate_from)
                .filter(|from| has(libc::MS_SLAVE) && *from != told.mnt_master),
            unbindable: has(libc::MS_UNBINDABLE),
            fs_type,
            source: lossy(self.text(told, STATMOUNT_SB_SOURCE, told.sb_source)?),
            super_options: super_options(
                told.sb_flags.into(),
                self.text(told, STATMOUNT_MNT_OPTS, told.mnt_opts)?,
            ),
        })
    }

    fn head(&self) -> &statmount {
        const { assert!(size_of::<statmount>() <= WORDS * size_of::<u64>()) };
        const { assert!(align_of::<statmount>() <= align_of::<u64>()) };
        // SAFETY: the room is never smaller than the structure and is aligned for it, all of it is initialized, and
        // any bits are a value of each of its fields, which are integers.
        unsafe { &*self.0.as_ptr().cast::<statmount>() }
    }

    /// Returns a text, which is empty when the kernel did not tell it.
    fn text(&self, told: &statmount, which: u32, offset: u32) -> Result<&[u8]> {
        if told.mask & u64::from(which) == 0 {
            return Ok(b"");
        }
        let cut =
            || Failure::refused("understand what the kernel tells of a mount", "a text is cut off");
        let begin =
            usize::try_from(offset).ok().and_then(|at| at.checked_add(size_of::<statmount>()));
        let text = begin.and_then(|begin| self.bytes().get(begin..)).ok_or_else(cut)?;
        CStr::from_bytes_until_nul(text).map(CStr::to_bytes).map_err(|_no_end| cut())
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: all bytes of the words are initialized, and bytes need no alignment.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), size_of_val(&*self.0)) }
    }
}

fn path(text: &[u8]) -> PathBuf {
    OsStr::from_bytes(text).into()
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// Returns the options of the mount itself, in the words and in the order of the mount table.
fn options(attributes: u64) -> Options {
    let has = |attribute: u32| attributes & u64::from(attribute) != 0;
    let atime = |choice: u32| attributes & u64::from(MOUNT_ATTR__ATIME) == u64::from(choice);
    words([
        (has(MOUNT_ATTR_RDONLY), "ro"),
        (!has(MOUNT_ATTR_RDONLY), "rw"),
        (has(MOUNT_ATTR_NOSUID), "nosuid"),
        (has(MOUNT_ATTR_NODEV), "nodev"),
        (has(MOUNT_ATTR_NOEXEC), "noexec"),
        (atime(MOUNT_ATTR_NOATIME), "noatime"),
        (has(MOUNT_ATTR_NODIRATIME), "nodiratime"),
        (atime(MOUNT_ATTR_RELATIME), "relatime"),
        (has(MOUNT_ATTR_NOSYMFOLLOW), "nosymfollow"),
        (has(MOUNT_ATTR_IDMAP), "idmapped"),
    ])
}

/// Returns the options of the file system: first those that all know, then its own, which come as in the table.
fn super_options(flags: u64, own: &[u8]) -> Options {
    let has = |flag: u64| flags & flag != 0;
    let all = words([
        (has(libc::MS_RDONLY), "ro"),
        (!has(libc::MS_RDONLY), "rw"),
        (has(libc::MS_SYNCHRONOUS), "sync"),
        (has(libc::MS_DIRSYNC), "dirsync"),
        (has(libc::MS_LAZYTIME), "lazytime"),
    ]);
    all.and(own)
}

fn words<const N: usize>(all: [(bool, &str); N]) -> Options {
    let said: Vec<&str> = all.into_iter().filter(|(said, _)| *said).map(|(_, word)| word).collect();
    Options::of_column(said.join(",").as_bytes())
}
