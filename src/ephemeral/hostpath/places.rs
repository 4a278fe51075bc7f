//! Where a directory is in its own file system, by whatever path it is reached.
//!
//! A bind mount gives a directory, or one deep in it, another name and hides what lies above it. The kernel's list of
//! mounts says which part of which file system each of them shows.

use std::path::{Path, PathBuf};

use crate::sys::device::DeviceNumber;
use crate::sys::mountinfo::{Mount, MountTable};

/// A part of a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    device: DeviceNumber,
    path: PathBuf,
}

// === impl Place ===

impl Place {
    /// Returns where the path is, which has no link in it.
    pub(super) fn of(table: &MountTable, path: &Path) -> Option<Self> {
        let mount = path.ancestors().find_map(|above| table.at(above))?;
        Self::inside(mount, path)
    }

    fn inside(mount: &Mount, path: &Path) -> Option<Self> {
        let below = path.strip_prefix(&mount.at).ok()?;
        // Joined with nothing, a path would get a slash at its end.
        let inside =
            if below.as_os_str().is_empty() { mount.root.clone() } else { mount.root.join(below) };
        Some(Self { device: mount.device, path: inside })
    }

    /// Returns where something is that lies in the mount of this number, by the path that the kernel gives for it; nothing
    /// where the mount is not to be seen any more.
    pub(super) fn in_mount(table: &MountTable, number: u64, path: &Path) -> Option<Self> {
        let mount = table.iter().find(|mount| u64::from(mount.id) == number)?;
        Self::inside(mount, path)
    }

    /// Returns what is mounted at the path or anywhere below it, other than the mount of this number. A copy of a directory
    /// with all mounts has one that covers the directory itself, too.
    pub(super) fn below(table: &MountTable, number: u64, path: &Path) -> Vec<Self> {
        let is_below = |mount: &&Mount| u64::from(mount.id) != number && mount.at.starts_with(path);
        let of = |mount: &Mount| Self { device: mount.device, path: mount.root.clone() };
        table.iter().filter(is_below).map(of).collect()
    }

    /// Says whether one of them is the other, or has it in it.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.device == other.device
            && (self.path.starts_with(&other.path) || other.path.starts_with(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
        1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
        2 1 8:2 / /srv rw - xfs /dev/sda2 rw\n\
        3 2 8:1 /etc/ssl /srv/data/trap rw - ext4 /dev/sda1 rw\n\
        4 1 0:5 / /proc rw - proc proc rw\n";

    #[test]
    fn what_a_bind_mount_shows_is_known_by_where_it_is() {
        let table = MountTable::parse(TABLE).unwrap();
        let of = |path: &str| Place::of(&table, Path::new(path)).unwrap();
        assert!(of("/srv/data/trap").overlaps(&of("/etc")));
        assert!(of("/srv/data/trap/certs").overlaps(&of("/etc")));
        assert!(of("/etc").overlaps(&of("/srv/data/trap/certs")));
        assert!(of("/").overlaps(&of("/etc")));
        for other in ["/etcetera", "/srv/data", "/srv/etc", "/proc", "/proc/etc"] {
            assert!(!of(other).overlaps(&of("/etc")), "{other}");
        }
        assert_eq!(Place::below(&table, 2, Path::new("/srv/data")), [of("/srv/data/trap")]);
        assert!(Place::below(&table, 3, Path::new("/srv/data/trap")).is_empty());
        // Of who has opened the directory before it was covered.
        assert_eq!(Place::below(&table, 2, Path::new("/srv/data/trap")), [of("/srv/data/trap")]);
    }
}
