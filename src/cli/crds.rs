//! `orlop crds`: the definitions of the custom resources, as this version of the driver needs them.

use std::process::ExitCode;

use super::failure::Failure;
use super::output;
use crate::cluster::objects::crds;

/// What `orlop crds --help` shows below the options.
pub(super) const EXAMPLES: &str = "\
In a cluster, the controller and the nodes speak to each other by objects of
these kinds: Volume, Snapshot, GroupSnapshot and Pool of orlop.dev/v1alpha1. Apply
the definitions of a new version before you start it.

Examples:
  orlop crds | kubectl apply -f -
  kubectl get orlop --output wide     what there is, once the driver runs";

/// Prints the definitions as YAML, one document for each kind.
pub(super) fn run() -> Result<ExitCode, Failure> {
    for definition in crds() {
        output::say(&format!("---\n{}", serde_saphyr::to_string(&definition)?.trim_end()))?;
    }
    Ok(ExitCode::SUCCESS)
}
