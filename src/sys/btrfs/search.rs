//! Reads from the trees of a btrfs.

#![expect(unsafe_code, reason = "no crate that we use wraps BTRFS_IOC_TREE_SEARCH")]

use std::os::fd::{AsFd, AsRawFd};

use linux_raw_sys::btrfs::{btrfs_ioctl_search_header, btrfs_ioctl_search_key};

use crate::sys::failure::{Doing, Result};

/// What is looked for: everything of one kind that belongs to one object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought {
    pub(super) tree: u32,
    pub(super) object: u64,
    pub(super) kind: u32,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) offset: u64,
    pub(super) data: Vec<u8>,
}

/// So much fits behind the key.
const ROOM: usize = 3992;

const HEADER: usize = size_of::<btrfs_ioctl_search_header>();

/// `struct btrfs_ioctl_search_args`, with bytes in place of characters.
#[repr(C)]
#[derive(Debug)]
struct Request {
    key: btrfs_ioctl_search_key,
    found: [u8; ROOM],
}

mod raw {
    use super::super::IOCTL;
    nix::ioctl_readwrite!(btrfs_ioc_tree_search, IOCTL, 17, super::Request);
}

/// Returns all that is found, in the order of the offsets.
pub(super) fn search(at: impl AsFd, sought: Sought) -> Result<Vec<Item>> {
    let mut all = Vec::new();
    let mut from = Some(0);
    while let Some(offset) = from {
        let batch = batch(at.as_fd(), sought, offset)?;
        from = batch.last().and_then(|last| last.offset.checked_add(1));
        all.extend(batch);
    }
    Ok(all)
}

fn batch(at: impl AsFd, sought: Sought, offset: u64) -> Result<Vec<Item>> {
    let mut request = Request { key: sought.key(offset), found: [0; ROOM] };
    // SAFETY: the descriptor is open for the whole call, and the kernel reads and writes one structure laid out as it
    // expects.
    let answer = unsafe { raw::btrfs_ioc_tree_search(at.as_fd().as_raw_fd(), &raw mut request) };
    answer.doing(|| "search a tree of a btrfs")?;
    let mut rest = request.found.as_slice();
    let mut items = Vec::new();
    for _ in 0..request.key.nr_items {
        let Some((item, behind)) = first(rest) else { break };
        items.push(item);
        rest = behind;
    }
    Ok(items)
}

/// Reads `struct btrfs_ioctl_search_header` and what is behind it.
fn first(bytes: &[u8]) -> Option<(Item, &[u8])> {
    let (header, behind) = bytes.split_at_checked(HEADER)?;
    let offset = u64::from_ne_bytes(*header.get(16..)?.first_chunk()?);
    let length = u32::from_ne_bytes(*header.get(28..)?.first_chunk()?);
    let (data, behind) = behind.split_at_checked(usize::try_from(length).ok()?)?;
    Some((Item { offset, data: data.to_vec() }, behind))
}

// === impl Sought ===

impl Sought {
    fn key(self, offset: u64) -> btrfs_ioctl_search_key {
        btrfs_ioctl_search_key {
            tree_id: self.tree.into(),
            min_objectid: self.object,
            max_objectid: self.object,
            min_offset: offset,
            max_offset: u64::MAX,
            min_transid: 0,
            max_transid: u64::MAX,
            min_type: self.kind,
            max_type: self.kind,
            nr_items: u32::MAX,
            unused: 0,
            unused1: 0,
            unused2: 0,
            unused3: 0,
            unused4: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_as_far_as_it_is_there() {
        let mut bytes = vec![0; HEADER];
        bytes[16..24].copy_from_slice(&257_u64.to_ne_bytes());
        bytes[28..32].copy_from_slice(&3_u32.to_ne_bytes());
        bytes.extend(b"abcd");
        let (item, behind) = first(&bytes).unwrap();
        assert_eq!((item.offset, &*item.data, behind), (257, b"abc".as_slice(), b"d".as_slice()));
        for length in 0..HEADER + 3 {
            assert!(first(&bytes[..length]).is_none(), "{length}");
        }
    }
}
