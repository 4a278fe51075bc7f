//! What this process may do. Root in a container may lack the very capability that a call needs, so that the
//! uid answers nothing.

use std::fmt;

use rustix::thread::CapabilitySet;

use super::failure::{Doing, Result};

/// A capability that some part of the driver needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Mounts, loop devices, freezing.
    SysAdmin,
    /// Growing an ext4 that is mounted.
    SysResource,
    /// Device nodes where nothing else makes them.
    Mknod,
    /// Files of other users: the content of volumes.
    DacOverride,
    /// Owners of files and directories that are made for a pod.
    Chown,
    /// Modes of files that belong to somebody else.
    Fowner,
    /// Images of snapshots that nobody can change.
    LinuxImmutable,
}

/// Returns those of `needed` that this process does not have.
pub fn missing(needed: &[Capability]) -> Result<Vec<Capability>> {
    let held = rustix::thread::capabilities(None).doing(|| "read our own capabilities")?.effective;
    Ok(needed.iter().copied().filter(|one| !held.contains(one.bit())).collect())
}

/// Says whether this process has `capability`.
pub fn has(capability: Capability) -> Result<bool> {
    Ok(missing(&[capability])?.is_empty())
}

impl Capability {
    /// Every capability that some part of the driver needs.
    pub const ALL: [Self; 7] = [
        Self::SysAdmin,
        Self::SysResource,
        Self::Mknod,
        Self::DacOverride,
        Self::Chown,
        Self::Fowner,
        Self::LinuxImmutable,
    ];

    /// Returns the name that a container's security context uses, with the prefix `CAP_`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysResource => "CAP_SYS_RESOURCE",
            Self::Mknod => "CAP_MKNOD",
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::Chown => "CAP_CHOWN",
            Self::Fowner => "CAP_FOWNER",
            Self::LinuxImmutable => "CAP_LINUX_IMMUTABLE",
        }
    }

    fn bit(self) -> CapabilitySet {
        match self {
            Self::SysAdmin => CapabilitySet::SYS_ADMIN,
            Self::SysResource => CapabilitySet::SYS_RESOURCE,
            Self::Mknod => CapabilitySet::MKNOD,
            Self::DacOverride => CapabilitySet::DAC_OVERRIDE,
            Self::Chown => CapabilitySet::CHOWN,
            Self::Fowner => CapabilitySet::FOWNER,
            Self::LinuxImmutable => CapabilitySet::LINUX_IMMUTABLE,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_the_one_in_proc() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
        let effective = u64::from_str_radix(line, 16).unwrap();
        for one in Capability::ALL {
            assert_eq!(has(one).unwrap(), effective & one.bit().bits() != 0, "{one}");
        }
    }
}
