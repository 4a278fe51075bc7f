//! Whether others see what is mounted: kubelet's directory, and the directory of the driver's own mounts.

use std::path::Path;

use super::finding::{Finding, Verdict};
use crate::cli::pools;
use crate::config::Config;
use crate::sys::mountinfo::{Mount, MountTable};

const KUBELET_ROOT: &str = "kubeletRoot";

pub(super) fn check(config: &Config) -> Vec<Finding> {
    // A simulated driver mounts nothing.
    if config.is_simulated() {
        return Vec::new();
    }
    let table = match MountTable::read() {
        Ok(table) => table,
        Err(failure) => {
            return vec![Finding::error(
                "mounts",
                failure.to_string(),
                "run this where /proc can be read",
            )];
        }
    };
    let own = config.state_dir.join(pools::MOUNTS);
    vec![
        directory(KUBELET_ROOT, &config.kubelet_root, &table, config.require_shared_mounts),
        directory("stateDir", &own, &table, config.require_shared_mounts),
    ]
}

/// Says what stands against `requireSharedMounts` where kubelet publishes, if anything does. For its own mounts
/// the driver sees to it when it opens its pools.
pub(super) fn unshared(config: &Config) -> Option<String> {
    let is_wrong = |one: &Finding| one.about == KUBELET_ROOT && one.verdict == Verdict::Error;
    check(config).into_iter().find(is_wrong).map(|finding| {
        format!("requireSharedMounts: {}: {}", finding.found, finding.advice.unwrap_or_default())
    })
}

fn directory(about: &str, path: &Path, table: &MountTable, required: bool) -> Finding {
    let shown = path.display();
    let Some(mount) = around(path, table) else {
        return Finding::error(
            about,
            format!("nothing is mounted around {shown}"),
            "run this where /proc can be read",
        );
    };
    if mount.shared.is_some() {
        return Finding::ok(about, format!("what is mounted in {shown} is seen by others"));
    }
    let found = format!("what is mounted in {shown} is seen in this mount namespace alone");
    let advice = format!(
        "mount it with shared propagation (in a pod: mountPropagation: Bidirectional; on a host: mount --make-rshared {})",
        mount.at.display()
    );
    // Without kubelet and pods there is nobody else to see it.
    if required {
        Finding::error(about, found, advice)
    } else {
        Finding::warning(about, found, advice)
    }
}

/// Returns the mount that the path lies on, whether it exists yet or not.
fn around<'a>(path: &Path, table: &'a MountTable) -> Option<&'a Mount> {
    path.ancestors().find_map(|directory| table.at(directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    #[test]
    fn the_nearest_mount_decides() {
        let table = MountTable::parse(
            "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n23 22 8:2 / /var rw - ext4 /dev/sda2 rw\n24 23 8:3 / /var/lib/kubelet rw shared:9 - ext4 /dev/sda3 rw\n",
        )
        .unwrap();
        for (path, required, expected) in [
            ("/var/lib/kubelet", true, Verdict::Ok),
            ("/var/lib/kubelet/not/there", true, Verdict::Ok),
            ("/var/lib/orlop/state", false, Verdict::Warning),
            ("/var/lib/orlop/state", true, Verdict::Error),
            ("/srv", true, Verdict::Ok),
        ] {
            assert_eq!(
                directory("x", Path::new(path), &table, required).verdict,
                expected,
                "{path}"
            );
        }
    }
}
