//! Mounts a file system, binds a path to another, unmounts.
//!
//! The calls are those that work on descriptors: a mount is made complete, with all its options, before it
//! appears anywhere, so that a failure leaves nothing to undo and nobody ever sees it half made. What is
//! mounted already is a question for [`super::mountinfo`].

mod attributes;
mod bind;
mod detached;
mod filesystem;
mod flags;
mod point;
mod shared;
mod target;
mod unmount;

use super::mountinfo::Mount;

pub use bind::{bind, bind_opened};
pub use detached::{DetachedMount, Reach};
use filesystem::make;
pub use filesystem::mount;
pub use flags::vfs_flags;
pub use point::{is_mounted, mount_of_parent};
pub use shared::bind_shared;
pub use unmount::{How, unmount, unmount_all, unmount_in};

/// How something is to be mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// Whether nothing can be written through the mount.
    pub read_only: bool,
    /// Options as in `mount -o`, one in each string: names such as `noatime`, or `name=value`.
    pub flags: Vec<String>,
}

// === impl MountOptions ===

impl MountOptions {
    /// Returns options that ask for nothing but reading.
    pub fn read_only() -> Self {
        Self { read_only: true, flags: Vec::new() }
    }

    /// Says whether the mount may not be written to, by the field or by the flag `ro`.
    pub fn is_read_only(&self) -> bool {
        self.read_only || self.flags.iter().any(|flag| flag == "ro")
    }

    /// Returns what was asked for and is not so at `mount`, in the words of mount(8).
    ///
    /// Only what every mount shows of itself is compared: options of the file system read back in many ways.
    pub fn unmet_by(&self, mount: &Mount) -> Vec<&'static str> {
        let access = match (self.is_read_only(), mount.is_read_only()) {
            (true, false) => Some("ro"),
            (false, true) => Some("rw"),
            (true, true) | (false, false) => None,
        };
        let others = vfs_flags(&self.flags).into_iter().filter(|&flag| match flag {
            "ro" => false,
            // It is shown by the absence of the others.
            "strictatime" => mount.options.has("relatime") || mount.options.has("noatime"),
            flag => !mount.options.has(flag),
        });
        access.into_iter().chain(others).collect()
    }
}
