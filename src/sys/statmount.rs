//! Mounts by their ids: which there are, and what one of them is.
//!
//! The mount table is a text of every mount, and costs the kernel a microsecond for each. Since Linux 6.8 the ids can
//! be listed, at a twentieth of that, and a single mount asked for. Such an id is never given to a second mount.
//! All that the table says is told since Linux 6.13.

#![expect(unsafe_code, reason = "no crate that we use wraps listmount and statmount")]

mod reply;

use std::io;

use linux_raw_sys::general::{
    __NR_listmount, __NR_statmount, LSMT_ROOT, STATMOUNT_FS_SUBTYPE, STATMOUNT_FS_TYPE,
    STATMOUNT_MNT_BASIC, STATMOUNT_MNT_OPTS, STATMOUNT_MNT_POINT, STATMOUNT_MNT_ROOT,
    STATMOUNT_PROPAGATE_FROM, STATMOUNT_SB_BASIC, STATMOUNT_SB_SOURCE, mnt_id_req,
};
use nix::libc;
use rustix::io::Errno;

use super::failure::{Doing, Failure, Result};
use super::mountinfo::Mount;
use reply::Reply;

/// A mount, for as long as the machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountId(u64);

#[allow(clippy::cast_possible_wrap, reason = "the numbers of system calls are small")]
const STATMOUNT: libc::c_long = __NR_statmount as libc::c_long;
#[allow(clippy::cast_possible_wrap, reason = "the numbers of system calls are small")]
const LISTMOUNT: libc::c_long = __NR_listmount as libc::c_long;

/// All that a row of the mount table says.
const A_ROW: u32 = STATMOUNT_SB_BASIC
    | STATMOUNT_MNT_BASIC
    | STATMOUNT_PROPAGATE_FROM
    | STATMOUNT_MNT_ROOT
    | STATMOUNT_MNT_POINT
    | STATMOUNT_FS_TYPE
    | STATMOUNT_MNT_OPTS
    | STATMOUNT_FS_SUBTYPE
    | STATMOUNT_SB_SOURCE;

/// How many ids are asked for at once.
const BATCH: usize = 1024;

/// How long the texts of one mount may be: two paths and the options, which overlay can make many.
const LONGEST: usize = 1 << 20;

/// Returns the ids of all mounts of this namespace, the oldest first, or nothing when this kernel cannot tell.
pub fn list() -> Result<Option<Vec<MountId>>> {
    listed(u64::from_ne_bytes(i64::from(LSMT_ROOT).to_ne_bytes()))
}

/// Returns whether anything is mounted on top of the mount or below it, or nothing when this kernel cannot tell.
///
/// A mount that is gone has nothing on it.
pub fn is_covered(mount: MountId) -> Result<Option<bool>> {
    Ok(listed(mount.0)?.map(|below| !below.is_empty()))
}

/// Returns what the mount table says of the mount, or nothing when it is gone.
///
/// What an older kernel does not tell is empty: the file system's own options before Linux 6.11, the source before 6.13.
pub fn mount(id: MountId) -> Result<Option<Mount>> {
    let request = request(id.0, u64::from(A_ROW));
    let mut reply = Reply::new();
    loop {
        let (room, len) = reply.room();
        // SAFETY: the request is one structure as the kernel expects it and says its own size, and the kernel writes
        // no more than the length that goes with the room.
        let answer = unsafe { libc::syscall(STATMOUNT, &raw const request, room, len, 0_u32) };
        match done(answer) {
            Ok(_) => return reply.mount().map(Some),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::OVERFLOW) if len < LONGEST => reply.grow(),
            Err(why) => return Err(Failure::new(format!("look at the mount {}", id.0), why)),
        }
    }
}

fn listed(below: u64) -> Result<Option<Vec<MountId>>> {
    let mut ids = Vec::new();
    loop {
        let last = ids.last().map_or(0, |id: &MountId| id.0);
        match batch(below, last) {
            Ok(more) => {
                let is_all = more.len() < BATCH;
                ids.extend(more.into_iter().map(MountId));
                if is_all {
                    return Ok(Some(ids));
                }
            }
            // Older kernels, and a sandbox that has never heard of the call.
            Err(Errno::NOSYS | Errno::PERM) => return Ok(None),
            Err(Errno::NOENT) => return Ok(Some(Vec::new())),
            Err(why) => return Err(why).doing(|| "list the mounts"),
        }
    }
}

/// Returns the first ids after `last`.
fn batch(below: u64, last: u64) -> Result<Vec<u64>, Errno> {
    let request = request(below, last);
    let mut ids = vec![0; BATCH];
    // SAFETY: the request is one structure as the kernel expects it and says its own size, and the kernel writes no
    // more ids than there is room for.
    let answer =
        unsafe { libc::syscall(LISTMOUNT, &raw const request, ids.as_mut_ptr(), BATCH, 0_u32) };
    ids.truncate(done(answer)?);
    Ok(ids)
}

fn request(mnt_id: u64, param: u64) -> mnt_id_req {
    // The fourth field, and with it 32 bytes, came later than the call.
    let size = std::mem::offset_of!(mnt_id_req, mnt_ns_id);
    mnt_id_req {
        size: u32::try_from(size).unwrap_or_default(),
        spare: 0,
        mnt_id,
        param,
        mnt_ns_id: 0,
    }
}

fn done(answer: libc::c_long) -> Result<usize, Errno> {
    usize::try_from(answer)
        .map_err(|_negative| Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::mountinfo::MountTable;
    use crate::sys::release::{self, Release};

    /// Other tests mount beside this one: only two tables that are the same have one list between them.
    fn at_one_moment() -> Option<(MountTable, Vec<MountId>, Vec<Mount>)> {
        loop {
            let table = MountTable::read().unwrap();
            let listed = list().unwrap()?;
            let told = listed.iter().filter_map(|id| mount(*id).unwrap()).collect();
            if table == MountTable::read().unwrap() {
                return Some((table, listed, told));
            }
        }
    }

    #[test]
    fn each_mount_is_told_as_in_the_table() {
        let Some((table, _, mut told)) = at_one_moment() else {
            let release = release::name();
            assert!(Release::parse(&release) < Some(Release(6, 8)), "{release}");
            return;
        };
        let mut rows: Vec<Mount> = table.iter().cloned().collect();
        rows.sort_by_key(|mount| mount.id);
        told.sort_by_key(|mount| mount.id);
        for (told, row) in told.iter_mut().zip(&rows) {
            if told.source.is_empty() {
                // An older kernel; and there are mounts that have none.
                told.source.clone_from(&row.source);
                told.super_options.clone_from(&row.super_options);
            }
            assert_eq!(told, row);
        }
        assert_eq!(told.len(), rows.len());
    }

    #[test]
    fn a_root_with_mounts_in_it_is_covered_and_what_is_gone_is_not() {
        let Some((table, listed, _)) = at_one_moment() else { return };
        let root = table.iter().find(|mount| mount.at.as_os_str() == "/").unwrap();
        let is_root = |id: &&MountId| mount(**id).unwrap().is_some_and(|mount| mount.id == root.id);
        let id = listed.iter().find(is_root).unwrap();
        assert_eq!(is_covered(*id).unwrap(), Some(true));
        let never = MountId(u64::MAX / 2);
        assert!(mount(never).unwrap().is_none());
        assert_eq!(is_covered(never).unwrap(), Some(false));
    }
}
