//! A real Kubernetes of two nodes, with the chart installed by Helm, as an admin would: `make e2e`.
//!
//! `tools/cluster` brings the cluster up, and this program runs inside of it. `flows` are what users do, each in a
//! namespace of its own, side by side; `docs` is a newcomer with the pages in hand, and `faults` hurt the cluster: both run
//! alone.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    dead_code,
    reason = "tests; the rig offers more than one test uses"
)]

#[cfg(test)]
#[path = "../cluster/rig/api.rs"]
mod api;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod flows;
#[cfg(test)]
mod measures;
#[cfg(test)]
mod rig;
#[cfg(test)]
#[path = "../common/steps.rs"]
mod steps;
