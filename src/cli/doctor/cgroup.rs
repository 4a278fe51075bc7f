//! The memory that the driver's cgroup leaves to it and to the programs it starts.

use std::fs;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::volume::Bytes;

const ABOUT: &str = "memory";
const ROOT: &str = "/sys/fs/cgroup";

/// The driver itself takes a fraction of this; a check of a large file system takes more.
const ENOUGH: Bytes = Bytes::mib(256);

pub(super) fn check() -> Vec<Finding> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    match own_group(&own) {
        Some(group) => vec![judge(least_limit(&group))],
        None => vec![Finding::warning(
            ABOUT,
            "this process is in no cgroup of version 2",
            "use the unified hierarchy, or look at the limit by hand",
        )],
    }
}

/// Returns the directory of the process's own group.
fn own_group(text: &str) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(Path::new(ROOT).join(path.trim_start_matches('/')))
}

/// Returns the least limit of the group and of those around it.
fn least_limit(group: &Path) -> Option<Bytes> {
    let groups = group.ancestors().take_while(|group| group.starts_with(ROOT));
    let limits = groups.filter_map(|group| fs::read_to_string(group.join("memory.max")).ok());
    limits.filter_map(|text| text.trim().parse().ok().map(Bytes)).min()
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
    fn the_own_group_is_that_of_version_2() {
        assert_eq!(own_group("0::/\n"), Some(PathBuf::from(ROOT)));
        assert_eq!(
            own_group("1:name=x:/a\n0::/kubepods/x\n"),
            Some(Path::new(ROOT).join("kubepods/x"))
        );
        assert_eq!(own_group("4:memory:/x\n"), None);
    }
}
