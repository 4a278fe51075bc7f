//! csi-sanity, the conformance suite of CSI, against the driver as a process.
//!
//! Every spec runs, in random order, on the memory pool and on an image pool, with file systems and with raw
//! blocks. One that is skipped is a failure.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    clippy::wildcard_enum_match_arm,
    dead_code,
    reason = "tests; the common modules serve several binaries"
)]

mod driver;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/suite.rs"]
mod suite;

use driver::{Driver, Pool};
use suite::Volumes;

/// How many specs the suite has, besides the one that it holds back itself.
const SPECS: usize = 102;

fn conforms(pool: Pool, volumes: Volumes) {
    for _order in 0..3 {
        let driver = Driver::start(pool);
        let report = suite::run(driver.room.path(), &driver.socket(), None, volumes);
        driver.stop();
        assert!(report.failed.is_empty(), "seed {}: {:#?}", report.seed, report.failed);
        assert!(report.skipped.is_empty(), "seed {}: {:#?}", report.seed, report.skipped);
        assert_eq!(report.passed, SPECS, "seed {}", report.seed);
    }
}

#[test]
fn memory_mount() {
    conforms(Pool::Memory, Volumes::Mount);
}

#[test]
fn memory_block() {
    conforms(Pool::Memory, Volumes::Block);
}

#[test]
fn image_mount() {
    conforms(Pool::Image, Volumes::Mount);
}

#[test]
fn image_block() {
    conforms(Pool::Image, Volumes::Block);
}
