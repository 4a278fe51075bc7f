//! Makes and removes subvolumes.
//!
//! Whoever may write in one may make others in it, without any right; to remove one, those in it go first.

#![expect(unsafe_code, reason = "no crate that we use wraps btrfs's calls")]

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use linux_raw_sys::btrfs::{
    BTRFS_ROOT_REF_KEY, BTRFS_ROOT_TREE_OBJECTID, BTRFS_SUBVOL_QGROUP_INHERIT, BTRFS_SUBVOL_RDONLY,
    btrfs_ioctl_ino_lookup_args, btrfs_ioctl_vol_args, btrfs_ioctl_vol_args_v2,
    btrfs_ioctl_vol_args_v2__bindgen_ty_1, btrfs_ioctl_vol_args_v2__bindgen_ty_1__bindgen_ty_1,
    btrfs_ioctl_vol_args_v2__bindgen_ty_2, btrfs_qgroup_inherit, btrfs_qgroup_limit,
};

use super::quota::Group;
use super::search::{Sought, search};
use super::{handle, name};
use crate::sys::beneath::Dir;
use crate::sys::failure::{Doing, Failure, Result};
use crate::sys::inspect::look;

/// A subvolume in another one.
#[derive(Debug)]
struct Nested {
    id: u64,
    /// The subvolume in which it is, and the directory there.
    parent: u64,
    directory: u64,
    name: OsString,
}

/// `struct btrfs_qgroup_inherit` with one group behind it.
#[repr(C)]
#[derive(Debug)]
struct Inherit {
    header: btrfs_qgroup_inherit,
    group: u64,
}

mod raw {
    use linux_raw_sys::btrfs::{
        btrfs_ioctl_ino_lookup_args, btrfs_ioctl_vol_args, btrfs_ioctl_vol_args_v2,
    };

    use super::super::IOCTL;
    nix::ioctl_write_ptr!(btrfs_ioc_snap_destroy, IOCTL, 15, btrfs_ioctl_vol_args);
    nix::ioctl_readwrite!(btrfs_ioc_ino_lookup, IOCTL, 18, btrfs_ioctl_ino_lookup_args);
    nix::ioctl_write_ptr!(btrfs_ioc_subvol_create_v2, IOCTL, 24, btrfs_ioctl_vol_args_v2);
    nix::ioctl_read!(btrfs_ioc_subvol_getflags, IOCTL, 25, u64);
    nix::ioctl_write_ptr!(btrfs_ioc_subvol_setflags, IOCTL, 26, u64);
}

/// Makes the subvolume `name` in the directory. It is a member of the group, if one is given, from its first instant.
pub fn create(dir: &Dir, name: impl AsRef<OsStr>, group: Option<Group>) -> Result<()> {
    let name = name.as_ref();
    let doing = || format!("make the subvolume {}", dir.path_of(name).display());
    let mut inherit = group.map(Inherit::one);
    let (flags, size, qgroup_inherit) = match &mut inherit {
        Some(inherit) => {
            let size = size_of::<Inherit>() as u64;
            (BTRFS_SUBVOL_QGROUP_INHERIT.into(), size, ptr::from_mut(inherit).cast())
        }
        None => (0, 0, ptr::null_mut()),
    };
    let request = btrfs_ioctl_vol_args_v2 {
        fd: 0,
        transid: 0,
        flags,
        __bindgen_anon_1: btrfs_ioctl_vol_args_v2__bindgen_ty_1 {
            __bindgen_anon_1: btrfs_ioctl_vol_args_v2__bindgen_ty_1__bindgen_ty_1 {
                size,
                qgroup_inherit,
            },
        },
        __bindgen_anon_2: btrfs_ioctl_vol_args_v2__bindgen_ty_2 {
            name: name::field(name).doing(doing)?,
        },
    };
    // SAFETY: the descriptor is open for the whole call, the kernel reads one structure laid out as it expects, with a
    // name in it that ends in a zero, and, if its flags say so, a second one of the size that it says, which lives as
    // long.
    let answer =
        unsafe { raw::btrfs_ioc_subvol_create_v2(dir.as_fd().as_raw_fd(), &raw const request) };
    answer.map(drop).doing(doing)
}

/// Removes the subvolume `name` of the directory with everything in it, other subvolumes as well. Returns whether
/// there was one. Its space comes back in the background. A plain directory of that name is removed as one.
pub fn remove(dir: &Dir, name: impl AsRef<OsStr>) -> Result<bool> {
    let name = name.as_ref();
    let top = match dir.open_dir(name) {
        Ok(top) => top,
        Err(why) if why.is_not_found() => return Ok(false),
        Err(why) => return Err(why),
    };
    if !is_root(&top)? {
        return dir.remove_tree(name);
    }
    let nested = nested_in(&top)?;
    allow_writes(&top)?;
    for one in &nested {
        allow_writes(handle::open(&top, one.id, handle::ROOT)?)?;
    }
    // Those that are deeper were found later.
    for one in nested.iter().rev() {
        destroy(handle::open(&top, one.parent, one.directory)?, &one.name)?;
    }
    drop(top);
    destroy(dir, name)?;
    Ok(true)
}

/// Returns the number of the subvolume whose root is open. Of anything else the kernel would tell in which subvolume it
/// is, which is another question.
pub fn id(root: impl AsFd) -> Result<u64> {
    const DOING: &str = "ask for the number of a subvolume";
    if !is_root(root.as_fd())? {
        return Err(Failure::refused(DOING, "it is a plain directory"));
    }
    let mut request =
        btrfs_ioctl_ino_lookup_args { treeid: 0, objectid: handle::ROOT, name: [0; 4080] };
    // SAFETY: the descriptor is open for the whole call, and the kernel reads and writes one structure laid out as it
    // expects.
    let answer = unsafe { raw::btrfs_ioc_ino_lookup(root.as_fd().as_raw_fd(), &raw mut request) };
    answer.doing(|| DOING)?;
    Ok(request.treeid)
}

/// Returns all that is below the subvolume, each behind the one that it is in.
fn nested_in(top: &Dir) -> Result<Vec<Nested>> {
    let mut found: Vec<Nested> = Vec::new();
    let mut parent = Some(id(top)?);
    let mut looked = 0;
    while let Some(in_it) = parent {
        let sought =
            Sought { tree: BTRFS_ROOT_TREE_OBJECTID, object: in_it, kind: BTRFS_ROOT_REF_KEY };
        let items = search(top, sought)?;
        found.extend(items.iter().filter_map(|item| Nested::read(in_it, item.offset, &item.data)));
        parent = found.get(looked).map(|next| next.id);
        looked += 1;
    }
    Ok(found)
}

/// Says whether the root of a subvolume is open. What is mounted is not meant, be it the same one.
fn is_root(at: impl AsFd) -> Result<bool> {
    let seen = look(at)?;
    Ok(seen.inode == handle::ROOT && !seen.is_mount_root)
}

/// Whoever owns a subvolume may have made it read-only; then nothing in it can be removed.
fn allow_writes(subvolume: impl AsFd) -> Result<()> {
    let doing = || "let a subvolume be written to";
    let fd = subvolume.as_fd().as_raw_fd();
    let mut flags = 0;
    // SAFETY: the descriptor is open for the whole call, and the kernel writes one number.
    unsafe { raw::btrfs_ioc_subvol_getflags(fd, &raw mut flags) }.doing(doing)?;
    let read_only = u64::from(BTRFS_SUBVOL_RDONLY);
    if flags & read_only == 0 {
        return Ok(());
    }
    flags &= !read_only;
    // SAFETY: the descriptor is open for the whole call, and the kernel reads one number.
    unsafe { raw::btrfs_ioc_subvol_setflags(fd, &raw const flags) }.map(drop).doing(doing)
}

/// Removes the subvolume `name`, in which no other is, of the directory.
fn destroy(dir: impl AsFd, name: &OsStr) -> Result<()> {
    let doing = || format!("remove the subvolume {}", name.display());
    let request = btrfs_ioctl_vol_args { fd: 0, name: name::field(name).doing(doing)? };
    // SAFETY: the descriptor is open for the whole call, and the kernel reads one structure laid out as it expects,
    // with a name in it that ends in a zero.
    let answer =
        unsafe { raw::btrfs_ioc_snap_destroy(dir.as_fd().as_raw_fd(), &raw const request) };
    answer.map(drop).doing(doing)
}

// === impl Nested ===

impl Nested {
    /// Reads `struct btrfs_root_ref`, which is packed, with the name behind it.
    fn read(parent: u64, id: u64, data: &[u8]) -> Option<Self> {
        let directory = u64::from_le_bytes(*data.first_chunk()?);
        let name = OsStr::from_bytes(data.get(18..)?).to_owned();
        Some(Self { id, parent, directory, name })
    }
}

// === impl Inherit ===

impl Inherit {
    fn one(group: Group) -> Self {
        let lim =
            btrfs_qgroup_limit { flags: 0, max_rfer: 0, max_excl: 0, rsv_rfer: 0, rsv_excl: 0 };
        let header = btrfs_qgroup_inherit {
            flags: 0,
            num_qgroups: 1,
            num_ref_copies: 0,
            num_excl_copies: 0,
            lim,
            qgroups: linux_raw_sys::btrfs::__IncompleteArrayField::new(),
        };
        Self { header, group: group.raw() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_subvolume_and_the_directory_that_it_is_in() {
        let mut data = 300_u64.to_le_bytes().to_vec();
        data.extend(2_u64.to_le_bytes());
        data.extend(4_u16.to_le_bytes());
        data.extend(b"name");
        let read = Nested::read(5, 257, &data).unwrap();
        assert_eq!((read.id, read.parent, read.directory, read.name), (257, 5, 300, "name".into()));
        assert!(Nested::read(5, 257, &data[..17]).is_none());
    }
}
