//! Where the content lies: in memory, never on a disk, and never in swap.

use std::path::Path;

use super::attributes::Asked;
use crate::ephemeral::tmpfs::{TMPFS, without_swap};
use crate::ephemeral::{InlineId, KindName};
use crate::sys::mount::{DetachedMount, MountOptions};
use crate::sys::{Failure, Result};
use crate::volume::Bytes;

/// The most that an object can have.
const OBJECT: u64 = 1 << 20;

/// What the most files take beside their bytes: the last page of each, in half.
const FILES: u64 = 5_000 * 4096;

/// More files and directories than two states of a volume can have.
const INODES: u32 = 200_000;

/// Where a kernel with SELinux tells of it.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// The label that every container may read, and that nobody changes: what shows it is left alone by the runtime.
const LABEL: &str = "context=system_u:object_r:container_file_t:s0";

const SWAPS: &str = "/proc/swaps";

/// Makes an empty file system for a volume, which nobody sees yet.
pub(super) fn make(id: &InlineId, asked: &Asked) -> Result<DetachedMount> {
    let options = options(asked);
    let source = Path::new(id.as_str());
    if let Some(mount) = without_swap(source, &options)? {
        return Ok(mount);
    }
    // ramfs is never in swap, and knows no limits, which only the
    // driver could exceed; but it cannot be shown to the users of a user namespace.
    if has_swap()? {
        let flags = options
            .flags
            .iter()
            .filter(|flag| !flag.starts_with("size=") && !flag.starts_with("nr_inodes="));
        let options = MountOptions { read_only: false, flags: flags.cloned().collect() };
        return DetachedMount::make("ramfs", source, &options);
    }
    DetachedMount::make(TMPFS, source, &options)
}

/// Returns the mode of the root, which is that of Kubernetes' own volumes of the kind.
pub(super) fn mode_of_root(kind: KindName) -> u32 {
    // A config map lies in a plain directory there, the others in a tmpfs.
    if kind == KindName::ConfigMap { 0o777 } else { 0o1777 }
}

fn options(asked: &Asked) -> MountOptions {
    let mut flags = vec![
        format!("size={}", limit(asked).0),
        format!("nr_inodes={INODES}"),
        "nosuid".to_owned(),
        "nodev".to_owned(),
    ];
    if !asked.exec {
        flags.push("noexec".to_owned());
    }
    if Path::new(SELINUX).exists() {
        flags.push(LABEL.to_owned());
    }
    MountOptions { read_only: false, flags }
}

/// Returns room for the old and the new state of all that the sources can have. It is a bound; what is taken is counted
/// by the driver.
fn limit(asked: &Asked) -> Bytes {
    let sources = u64::try_from(asked.sources.len()).unwrap_or(u64::MAX);
    Bytes(sources.saturating_mul(OBJECT).saturating_add(FILES).saturating_mul(2))
}

fn has_swap() -> Result<bool> {
    let text = std::fs::read_to_string(SWAPS);
    let text = text.map_err(|source| Failure::new(format!("read {SWAPS}"), source))?;
    // The first line has the names of the columns.
    Ok(text.lines().count() > 1)
}
