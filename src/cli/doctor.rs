//! `orlop doctor`: one line for everything that the driver needs of this machine, and what to do where it is not so.
//!
//! It looks and changes nothing: it mounts nothing, attaches nothing and takes no lock. Each family of checks is
//! a file of its own, and a function from what was read to findings.

mod cgroup;
mod cluster;
mod devices;
mod finding;
mod kernel;
mod limits;
mod mounts;
mod pools;
mod privileges;
mod programs;
mod scanners;
mod scratch;

use std::process::ExitCode;

use super::failure::{self, Failure, sentence};
use super::options::LookOptions;
use crate::config::{Config, NodeId};
use crate::sys::blocking;
use finding::{Finding, Verdict};

/// Says what stands against `requireSharedMounts`, if it is set and anything does.
pub(super) fn unshared_mounts(config: &Config) -> Option<String> {
    config.require_shared_mounts.then(|| mounts::unshared(config)).flatten()
}

/// What `orlop doctor --help` shows below the options.
pub(super) const EXAMPLES: &str = "\
One line each: ok, warning (something will not work, or not well) or error (the
driver or its volumes will fail), and what to do. It changes nothing and can be
run beside the driver, best as the driver is run: as root, and in a cluster
inside the driver's container, because a container sees less than its host.
Exit code 1: there is an error; 2: the config or the command line is wrong.

Examples:
  orlop doctor --config /etc/orlop/orlop.yaml
  kubectl exec -n orlop ds/orlop-node -c driver -- orlop doctor";

/// Checks everything and prints what was found.
pub(super) async fn run(options: LookOptions) -> Result<ExitCode, Failure> {
    let mut findings = machine().await;
    let mut misconfigured = false;
    match options.config.read() {
        Ok((config, node)) => {
            findings.push(Finding::ok("config", format!("node {node}, pools: {}", names(&config))));
            findings.extend(of_config(config, node).await);
        }
        Err(Failure::Misconfigured(cause) | Failure::Failed(cause)) => {
            let advice = "put the config right: the driver does not start with it";
            findings.push(Finding::error("config", sentence(cause.as_ref()), advice));
            misconfigured = true;
        }
    }
    options.output.output.print(&findings, "nothing was checked")?;
    if misconfigured {
        // What was found is said; the exit code is that of every verb.
        return Ok(failure::misconfigured());
    }
    let is_error = findings.iter().any(|finding| finding.verdict == Verdict::Error);
    Ok(if is_error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Checks what does not depend on the config.
async fn machine() -> Vec<Finding> {
    blocking(|| {
        let mut findings = kernel::check();
        findings.extend(privileges::check());
        findings.extend(devices::check());
        findings.extend(cgroup::check());
        findings.extend(limits::check());
        findings.extend(scanners::check());
        findings
    })
    .await
}

/// Checks what the config says.
async fn of_config(config: Config, node: NodeId) -> Vec<Finding> {
    let (programs, mounts) = (programs::check(&config), mounts::check(&config));
    let pools = pools::check(&config, &node).await;
    let cluster = cluster::check(&config, &node).await;
    let scratch = scratch::check(&config);
    programs.into_iter().chain(mounts).chain(pools).chain(scratch).chain(cluster).collect()
}

fn names(config: &Config) -> String {
    let names: Vec<&str> = config.pools.iter().map(|pool| pool.name.as_str()).collect();
    names.join(", ")
}
