//! The roles of a node: which `CSIDriver` a socket answers for.

use super::endpoint::Endpoint;
use super::file::RolesEntry;
use super::mistake::Wrong;

/// The sockets of the roles, and what is said of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles {
    /// The socket of the persistent volumes, where no flag and no variable names it.
    pub volumes: Option<Endpoint>,
    /// The roles that are wanted but have no socket, so that nobody serves them.
    pub without_endpoint: Vec<&'static str>,
}

// === impl Roles ===

impl Roles {
    /// Checks the entries. Inline volumes are not served by this version: a socket for them would stay dead.
    pub(super) fn check(entry: RolesEntry) -> Result<Self, Wrong> {
        let roles = [
            ("scratch", true, entry.scratch.endpoint),
            ("config", true, entry.config.endpoint),
            ("hostpath", entry.hostpath.enabled, entry.hostpath.endpoint),
        ];
        let mut without_endpoint = Vec::new();
        for (name, wanted, endpoint) in roles {
            if endpoint.is_some() {
                let reason = format!(
                    "the role {name} is not served by this version: leave its endpoint out"
                );
                return Err(Wrong::new(format!("roles.{name}.endpoint"), reason));
            }
            if wanted {
                without_endpoint.push(name);
            }
        }
        Ok(Self { volumes: entry.volumes.endpoint, without_endpoint })
    }
}
