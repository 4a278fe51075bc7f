//! The hierarchies that can limit devices, as they are mounted, and the groups in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::group::subdirectories;
use super::{Group, throttle};
use crate::sys::mountinfo::{Mount, MountTable};

/// Nobody nests groups deeper than this above those that are looked for.
const DEEPEST: usize = 10;

/// Which version of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// With the controller `blkio`: a limit is for one group alone.
    V1,
    /// With the controller `io`: a limit is for a group and those below it together.
    V2,
}

/// A hierarchy of groups that can limit devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    root: PathBuf,
    version: Version,
    is_read_only: bool,
}

// === impl Hierarchy ===

impl Hierarchy {
    /// Returns those that are mounted. There are none where the kernel does not have the controller.
    pub fn all(table: &MountTable) -> Vec<Self> {
        let mounted = table.iter().filter(|mount| is_in_sight(mount, table));
        mounted.filter_map(Self::of).collect()
    }

    /// Returns which version it is of.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns where it is mounted.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns whether this process cannot write in it.
    pub fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Returns whether the kernel limits devices in it, as far as that shows: version 2 shows it in groups that the
    /// controller was passed on to, and there may be none yet.
    pub fn can_limit(&self) -> bool {
        match self.version {
            Version::V1 => self.root.join(throttle::FILES[0].name).exists(),
            Version::V2 => {
                let passed = |dir: &PathBuf| dir.join("io.stat").exists();
                subdirectories(&self.root)
                    .iter()
                    .find(|dir| passed(dir))
                    .is_none_or(|dir| dir.join("io.max").exists())
            }
        }
    }

    /// Returns the groups whose directory, below the mount, passes. What lies below one that passes, and below one
    /// that is `closed`, is not looked at.
    pub fn groups(
        &self,
        passes: impl Fn(&Path) -> bool,
        closed: impl Fn(&Path) -> bool,
    ) -> Vec<Group> {
        let mut found = Vec::new();
        let mut open = vec![(self.root.clone(), 0)];
        while let Some((dir, depth)) = open.pop() {
            for dir in subdirectories(&dir) {
                let Ok(relative) = dir.strip_prefix(&self.root) else { continue };
                if passes(relative) {
                    found.push(self.group(dir));
                } else if depth < DEEPEST && !closed(relative) {
                    open.push((dir, depth + 1));
                }
            }
        }
        found
    }

    /// Returns the group of the whole hierarchy, which nobody can limit in version 2.
    pub(super) fn whole(&self) -> Group {
        self.group(self.root.clone())
    }

    fn group(&self, dir: PathBuf) -> Group {
        Group { dir, version: self.version, root: self.root.clone() }
    }

    fn of(mount: &Mount) -> Option<Self> {
        let has = |option: &str| mount.super_options.has(option);
        let version = match mount.fs_type.as_str() {
            "cgroup" if has("blkio") => Version::V1,
            // Where version 1 has the controller, version 2 does not.
            "cgroup2" if has_io(&mount.at) => Version::V2,
            _ => return None,
        };
        Some(Self { root: mount.at.clone(), version, is_read_only: mount.is_read_only() })
    }
}

fn has_io(root: &Path) -> bool {
    let controllers = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    controllers.split_whitespace().any(|name| name == "io")
}

/// Says whether the mount is what one sees at its place. One and the same hierarchy may be mounted at several.
fn is_in_sight(mount: &Mount, table: &MountTable) -> bool {
    table.at(&mount.at).is_some_and(|seen| seen.id == mount.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_limit_devices_is_taken() {
        let table = MountTable::parse(
            "30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             31 1 0:27 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n\
             32 1 0:28 / /host/blkio ro - cgroup cgroup rw,blkio\n\
             33 1 0:29 / /no/such/place rw - cgroup2 cgroup2 rw\n",
        )
        .unwrap();
        let all = Hierarchy::all(&table);
        let found: Vec<_> = all
            .iter()
            .map(|one| (one.root().to_str().unwrap(), one.version(), one.is_read_only()))
            .collect();
        assert_eq!(
            found,
            [("/sys/fs/cgroup/blkio", Version::V1, false), ("/host/blkio", Version::V1, true)]
        );
    }

    #[test]
    fn a_walk_goes_everywhere_but_below_what_is_found_or_closed() {
        let room = tempfile::tempdir().unwrap();
        for dir in ["a/pod1/x/pod2", "b/closed/pod3", "pod4"] {
            fs::create_dir_all(room.path().join(dir)).unwrap();
        }
        fs::write(room.path().join("pod5"), "a file").unwrap();
        std::os::unix::fs::symlink("/", room.path().join("pod6")).unwrap();
        let hierarchy =
            Hierarchy { root: room.path().to_owned(), version: Version::V2, is_read_only: false };
        let named = |path: &Path, start: &str| {
            path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with(start))
        };
        let groups = hierarchy.groups(|path| named(path, "pod"), |path| named(path, "closed"));
        let mut found: Vec<_> = groups
            .iter()
            .map(|one| one.dir().strip_prefix(room.path()).unwrap().to_str().unwrap())
            .collect();
        found.sort_unstable();
        assert_eq!(found, ["a/pod1", "pod4"]);
    }
}
