//! A real API server: etcd and kube-apiserver, and on demand the scheduler, the controller manager and the sidecars.
//!
//! `make tools` builds them. They run as root in namespaces of their own, so that no port is taken outside, two
//! runs do not meet, and nothing is left when the test process ends, however it does.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    clippy::wildcard_enum_match_arm,
    dead_code,
    reason = "tests; the rig offers more than one test uses"
)]

#[cfg(test)]
mod adopt;
#[cfg(test)]
mod api_server;
#[cfg(test)]
mod chart;
#[cfg(test)]
#[path = "../common/content.rs"]
mod content;
#[cfg(test)]
mod controller;
#[cfg(test)]
#[path = "../common/dice.rs"]
mod dice;
#[cfg(test)]
#[path = "../it/docs/page.rs"]
mod docs;
#[cfg(test)]
mod doctor;
#[cfg(test)]
#[path = "../common/driver.rs"]
mod driver;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod node;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod page;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod projected;
#[cfg(test)]
mod provision;
#[cfg(test)]
#[path = "../common/requests.rs"]
mod requests;
mod rig;
#[cfg(test)]
mod rights;
#[cfg(test)]
#[path = "../common/suite.rs"]
mod suite;
#[cfg(test)]
mod whole;
