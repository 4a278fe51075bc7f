//! Tests that need no privileges, in one binary.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    clippy::wildcard_enum_match_arm,
    dead_code,
    reason = "tests; the common modules serve several binaries"
)]

#[path = "../common/conformance.rs"]
mod conformance;
#[path = "../common/driver.rs"]
mod driver;
#[cfg(test)]
#[path = "../common/fuzzer.rs"]
mod fuzzer;
#[path = "../common/model.rs"]
mod model_of_the_driver;
#[path = "../common/random.rs"]
mod random;
#[path = "../common/raw.rs"]
mod raw;
#[path = "../common/requests.rs"]
mod requests;
#[path = "../common/scrape.rs"]
mod scrape;
#[path = "../common/steps.rs"]
mod steps;

mod backend;
mod bad_input;
mod changes;
mod config;
mod controller;
mod crds;
mod docs;
mod frames;
mod fuzz;
mod group;
mod interface;
mod layers;
mod limits;
mod metrics;
mod model;
mod node;
mod process;
mod reads;
mod repeat;
mod server;
mod settings;
mod simulated;
mod telling;
