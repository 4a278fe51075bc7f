//! The memory that the driver's cgroup leaves to it and to the programs it starts.

use std::fs;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::volume::Bytes;

const ABOUT: &str = "memory";

/// A hierarchy that can limit memory: how a line of `/proc/self/cgroup` tells it, where it is mounted, and the file
/// with the limit.
struct Hierarchy {
    controllers: &'static str,
    root: &'static str,
    limit: &'static str,
}

const UNIFIED: Hierarchy =
    Hierarchy { controllers: "", root: "/sys/fs/cgroup", limit: "memory.max" };
const VERSION_1: Hierarchy = Hierarchy {
    controllers: "memory",
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
};

/// Version 1 writes that there is no limit as a number that no machine has.
const NO_LIMIT: Bytes = Bytes(1 << 62);

/// The driver itself takes a fraction of this; a check of a large file system takes more.
const ENOUGH: Bytes = Bytes::mib(256);

pub(super) fn check() -> Vec<Finding> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = [UNIFIED, VERSION_1]
        .map(|hierarchy| hierarchy.own_group(&own).map(|group| hierarchy.least_limit(&group)));
    let known: Vec<_> = limits.into_iter().flatten().collect();
    if known.is_empty() {
        let advice = "look at the limit by hand";
        return vec![Finding::warning(
            ABOUT,
            "this process is in no cgroup that could limit it",
            advice,
        )];
    }
    vec![judge(known.into_iter().flatten().min())]
}

// === impl Hierarchy ===

impl Hierarchy {
    /// Returns the directory of the process's own group.
    fn own_group(&self, text: &str) -> Option<PathBuf> {
        let mut lines = text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let (_, path) =
            lines.find(|(names, _)| names.split(',').any(|name| name == self.controllers))?;
        Some(Path::new(self.root).join(path.trim_start_matches('/')))
    }

    /// Returns the least limit of the group and of those around it.
    fn least_limit(&self, group: &Path) -> Option<Bytes> {
        let groups = group.ancestors().take_while(|group| group.starts_with(self.root));
        let limits = groups.filter_map(|group| fs::read_to_string(group.join(self.limit)).ok());
        let limits = limits.filter_map(|text| text.trim().parse().ok().map(Bytes));
        limits.filter(|limit| *limit < NO_LIMIT).min()
    }
}

fn judge(limit: Option<Bytes>) -> Finding {
    match limit {
        None => Finding::ok(ABOUT, "the cgroup sets no limit"),
        Some(limit) if limit >= ENOUGH => Finding::ok(ABOUT, format!("the cgroup allows {limit}")),
        Some(limit) => Finding::warning(
            ABOUT,
            format!("the cgroup allows {limit}"),
            format!(
                "allow at least {ENOUGH}: the repair of a large file system may be killed below that"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_both_versions() {
        let unified = |text| UNIFIED.own_group(text);
        assert_eq!(unified("0::/\n"), Some(PathBuf::from("/sys/fs/cgroup/")));
        let both = "9:cpu,memory:/kubepods/y\n1:name=x:/a\n0::/kubepods/x\n";
        assert_eq!(unified(both), Some(PathBuf::from("/sys/fs/cgroup/kubepods/x")));
        let old = VERSION_1.own_group(both);
        assert_eq!(old, Some(PathBuf::from("/sys/fs/cgroup/memory/kubepods/y")));
        assert_eq!(unified("4:memory:/x\n"), None);
    }

    #[test]
    fn the_least_limit_around_counts_and_a_number_that_no_machine_has_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let root: &'static str = Box::leak(dir.path().to_str().unwrap().into());
        let hierarchy = Hierarchy { root, ..VERSION_1 };
        let group = dir.path().join("pod/container");
        fs::create_dir_all(&group).unwrap();
        let write =
            |group: &Path, limit: &str| fs::write(group.join(hierarchy.limit), limit).unwrap();
        write(&group, "9223372036854771712\n");
        assert_eq!(hierarchy.least_limit(&group), None);
        write(&dir.path().join("pod"), "335544320\n");
        assert_eq!(hierarchy.least_limit(&group), Some(Bytes::mib(320)));
    }
}
