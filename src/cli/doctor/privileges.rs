//! What this process may do.

use super::finding::Finding;
use crate::sys::capability::{self, Capability};

const ABOUT: &str = "privileges";

pub(super) fn check() -> Vec<Finding> {
    let missing = match capability::missing(&Capability::ALL) {
        Ok(missing) => missing,
        Err(failure) => {
            return vec![Finding::error(
                ABOUT,
                failure.to_string(),
                "run this where /proc can be read",
            )];
        }
    };
    let held: Vec<&str> =
        Capability::ALL.iter().filter(|one| !missing.contains(one)).map(|one| one.name()).collect();
    let mut findings = Vec::new();
    if !held.is_empty() {
        findings.push(Finding::ok(ABOUT, held.join(", ")));
    }
    findings.extend(missing.into_iter().map(without));
    findings
}

fn without(capability: Capability) -> Finding {
    let found = format!("{capability} is missing");
    let found = format!("{found}: {}", needed_for(capability));
    let advice =
        "give it to the process (in a pod: securityContext.capabilities.add, without CAP_)";
    match capability {
        Capability::SysAdmin => Finding::error(ABOUT, found, advice),
        Capability::SysResource
        | Capability::Mknod
        | Capability::DacOverride
        | Capability::Chown
        | Capability::Fowner
        | Capability::LinuxImmutable => Finding::warning(ABOUT, found, advice),
    }
}

fn needed_for(capability: Capability) -> &'static str {
    match capability {
        Capability::SysAdmin => "nothing can be mounted without it",
        Capability::SysResource => "a mounted ext4 cannot grow without it, an unmounted one can",
        Capability::Mknod => "a loop device has no node without it, where /dev is no devtmpfs",
        Capability::DacOverride => "volumes of other users cannot be read or counted without it",
        Capability::Chown => "files cannot be given to a pod's group without it",
        Capability::Fowner => "modes of a pod's files cannot be set without it",
        Capability::LinuxImmutable => {
            "without it snapshots are not guarded, their changed blocks take long to tell, and guarded ones cannot go"
        }
    }
}
