//! The roles of a node that serve inline volumes, and the kinds of volumes that each of them has.

use std::fmt;
use std::str::FromStr;

/// A role: a CSIDriver name with a socket of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Inline emptyDir.
    Scratch,
    /// Inline configMap, secret and projected.
    Config,
    /// Inline hostPath.
    HostPath,
}

/// What an inline volume is, as its attribute `kind` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of Kubernetes")]
pub enum KindName {
    EmptyDir,
    HostPath,
    ConfigMap,
    Secret,
    Projected,
}

// === impl Role ===

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scratch, Self::Config, Self::HostPath];

    /// Returns the name by which a pod's volume names the driver.
    pub fn driver_name(self) -> &'static str {
        match self {
            Self::Scratch => "scratch.csi.orlop.dev",
            Self::Config => "config.csi.orlop.dev",
            Self::HostPath => "hostpath.csi.orlop.dev",
        }
    }

    /// Returns the word that the config has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scratch => "scratch",
            Self::Config => "config",
            Self::HostPath => "hostpath",
        }
    }

    /// Returns the kinds that it serves.
    pub fn kinds(self) -> &'static [KindName] {
        match self {
            Self::Scratch => &[KindName::EmptyDir],
            Self::Config => &[KindName::ConfigMap, KindName::Secret, KindName::Projected],
            Self::HostPath => &[KindName::HostPath],
        }
    }

    /// Says whether the driver gives its volumes to the pod's fsGroup itself; else nobody changes their owner.
    pub fn has_volume_mount_group(self) -> bool {
        self != Self::HostPath
    }

    /// Says whether there is ever anything to tell of a volume's health: only content that is fetched can be stale.
    pub fn has_health(self) -> bool {
        self == Self::Config
    }

    /// Says whether it is told how full a volume is: a host's directory has no size of its own.
    pub fn has_stats(self) -> bool {
        self != Self::HostPath
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl KindName ===

impl KindName {
    /// Returns the word of the attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptyDir => "emptyDir",
            Self::HostPath => "hostPath",
            Self::ConfigMap => "configMap",
            Self::Secret => "secret",
            Self::Projected => "projected",
        }
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KindName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = Role::ALL.iter().flat_map(|role| role.kinds());
        all.copied().find(|kind| kind.as_str() == text).ok_or(())
    }
}
