//! How much of what was written to volumes may still be on its way to the pool.
//!
//! To freeze a file system writes out all that is dirty of it, into the pool: that much of the free space is spoken
//! for. The kernel tells only how much is dirty on the whole machine. What was dirty when our volumes were last
//! frozen was none of theirs, and is left out.

use std::fs;

use crate::sys::{Doing, Result};
use crate::volume::Bytes;

const MEMINFO: &str = "/proc/meminfo";

/// What is dirty.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    /// What of it is others', at most.
    others: Bytes,
    now: Bytes,
}

// === impl Dirty ===

impl Dirty {
    /// Asks the kernel, and returns how much may be ours.
    pub(super) fn ask(&mut self) -> Result<Bytes> {
        self.now = read()?;
        self.others = self.others.min(self.now);
        Ok(self.now.less(self.others))
    }

    /// Notes that nothing of it is ours at this moment.
    pub(super) fn none_is_ours(&mut self) -> Result<()> {
        self.now = read()?;
        self.others = self.now;
        Ok(())
    }
}

fn read() -> Result<Bytes> {
    let text = fs::read_to_string(MEMINFO).doing(|| format!("read {MEMINFO}"))?;
    Ok(of_meminfo(&text))
}

/// Returns what waits to be written and what is being written. A line that is not there counts nothing.
fn of_meminfo(text: &str) -> Bytes {
    let value = |line: &str| {
        let rest = line.strip_prefix("Dirty:").or_else(|| line.strip_prefix("Writeback:"))?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    Bytes(text.lines().filter_map(value).fold(0, u64::saturating_add).saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dirty_and_what_is_being_written_count() {
        let text = "MemFree: 9 kB\nDirty:      12 kB\nWriteback:   3 kB\nWritebackTmp: 7 kB\n";
        assert_eq!(of_meminfo(text), Bytes(15 * 1024));
        assert_eq!(of_meminfo("Dirty: many\n"), Bytes::ZERO);
        assert!(read().is_ok());
    }

    #[test]
    fn what_was_dirty_when_all_was_frozen_is_others() {
        let mut dirty = Dirty { others: Bytes::gib(1), now: Bytes::gib(1) };
        // Others have written theirs: the machine cannot have less dirty than they do.
        let ours = dirty.ask().unwrap();
        assert!(dirty.others <= Bytes::gib(1) && ours.plus(dirty.others) == dirty.now);
    }
}
