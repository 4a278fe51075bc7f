//! emptyDirs in memory: a tmpfs, or a hugetlbfs.

use std::path::Path;

use super::not_made;
use crate::ephemeral::tmpfs::{TMPFS, without_swap};
use crate::error::{Error, Result};
use crate::sys::mount::{DetachedMount, MountOptions};
use crate::volume::Bytes;

/// A directory for each size of huge pages that the kernel has, named `hugepages-2048kB`.
const HUGE_PAGES: &str = "/sys/kernel/mm/hugepages";

/// The file that tells the usual size of huge pages.
const MEMINFO: &str = "/proc/meminfo";

/// Returns half of the memory: what a tmpfs has when nothing is said.
pub(super) fn half() -> Bytes {
    let info = rustix::system::sysinfo();
    let unit = u64::from(info.mem_unit.max(1));
    Bytes(info.totalram.saturating_mul(unit) / 2)
}

/// Makes a tmpfs that is never written to swap, where the kernel knows how (6.4).
pub(super) fn tmpfs(size: Bytes, inodes: Option<u32>, flags: &[String]) -> Result<DetachedMount> {
    let mut flags = flags.to_vec();
    // 0 would mean without a limit.
    flags.push(format!("size={}", size.0.max(1)));
    // One is the directory itself.
    flags.extend(inodes.map(|inodes| format!("nr_inodes={}", u64::from(inodes) + 1)));
    let options = MountOptions { read_only: false, flags };
    let source = Path::new(TMPFS);
    match without_swap(source, &options).map_err(not_made)? {
        Some(mount) => Ok(mount),
        None => DetachedMount::make(TMPFS, source, &options).map_err(not_made),
    }
}

/// Makes a hugetlbfs.
pub(super) fn huge(
    page: Bytes,
    size: Option<Bytes>,
    inodes: Option<u32>,
    flags: &[String],
) -> Result<DetachedMount> {
    let mut flags = flags.to_vec();
    flags.push(format!("pagesize={}", page.0));
    flags.extend(size.map(|size| format!("size={}", size.0)));
    flags.extend(inodes.map(|inodes| format!("nr_inodes={}", u64::from(inodes) + 1)));
    let options = MountOptions { read_only: false, flags };
    DetachedMount::make("hugetlbfs", Path::new("nodev"), &options).map_err(not_made)
}

/// Returns the size of a huge page: the one that is asked for if the node has it, or the node's usual one.
pub(super) fn page_size(asked: Option<Bytes>) -> Result<Bytes> {
    let has = sizes();
    let wanted = asked.or_else(usual);
    if let Some(size) = wanted.filter(|wanted| has.contains(wanted)) {
        return Ok(size);
    }
    let has: Vec<_> = has.iter().map(ToString::to_string).collect();
    let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
    let wanted = asked.map_or_else(String::new, |asked| format!(" of {asked}"));
    Err(Error::unfit(format!("this node has no huge pages{wanted}; it has: {has}")))
}

fn sizes() -> Vec<Bytes> {
    let entries = std::fs::read_dir(HUGE_PAGES).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let kib = name.to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?;
        kib.parse().ok().map(Bytes::kib)
    };
    let mut sizes: Vec<_> = entries.filter_map(size).collect();
    sizes.sort();
    sizes
}

fn usual() -> Option<Bytes> {
    let text = std::fs::read_to_string(MEMINFO).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Hugepagesize:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok().map(Bytes::kib)
}
