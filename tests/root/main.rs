//! What needs root: real loop devices, file systems and mounts. Compiled as you, run as root:
//!
//! ```text
//! CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='sudo -E' cargo test --features root,faults --test root
//! ```
//!
//! Each test has a mount namespace of its own, so that mounts of two tests never meet and a failed test leaves
//! none behind. Loop devices belong to the whole machine: they are held by guards.

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
    reason = "tests; the common modules serve several binaries"
)]

#[path = "../common/conformance.rs"]
mod conformance;
#[path = "../common/content.rs"]
mod content;
#[path = "../common/dice.rs"]
mod dice;
#[path = "../common/driver.rs"]
mod driver;
#[cfg(test)]
#[path = "../common/fuzzer.rs"]
mod fuzzer;
#[path = "../common/model.rs"]
mod model_of_the_driver;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/random.rs"]
mod random;
#[path = "../common/raw.rs"]
mod raw;
#[path = "../common/requests.rs"]
mod requests;
#[path = "../common/scrape.rs"]
mod scrape;
#[cfg(test)]
#[path = "../common/stand_in.rs"]
mod stand_in;

mod busy;
#[cfg(test)]
mod canary;
mod changes;
mod cli;
#[cfg(test)]
mod copy_cut;
#[cfg(test)]
mod copy_finish;
#[cfg(test)]
mod fs_check;
#[cfg(test)]
mod fs_format;
#[cfg(test)]
mod fs_grow;
#[cfg(test)]
mod fs_identity;
#[cfg(test)]
mod fs_probe;
#[cfg(test)]
mod fuzz;
mod group;
mod group_kill;
mod hang;
#[cfg(test)]
mod health;
#[cfg(test)]
mod health_hung;
#[cfg(test)]
mod hung;
#[cfg(test)]
mod hung_path;
#[cfg(test)]
mod image_attach;
#[cfg(test)]
mod image_changes;
#[cfg(test)]
mod image_conformance;
#[cfg(test)]
mod image_copies;
#[cfg(test)]
mod image_expand;
#[cfg(test)]
mod image_figures;
#[cfg(test)]
mod image_full;
#[cfg(test)]
mod image_owner;
#[cfg(test)]
mod image_place;
#[cfg(test)]
mod image_records;
#[cfg(test)]
mod image_space;
#[cfg(test)]
mod image_support;
#[cfg(test)]
mod image_transfer;
#[cfg(test)]
mod inline;
mod kill;
mod late;
#[cfg(test)]
mod left;
mod life;
#[cfg(test)]
mod limits;
mod metrics;
mod model;
mod mortal;
mod never_wrong;
mod operations;
#[cfg(test)]
mod pause;
#[cfg(test)]
mod pod;
#[cfg(test)]
mod projected;
mod rig;
#[cfg(test)]
mod sight;
mod stop;
mod stopped;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sys_beneath;
#[cfg(test)]
mod sys_bind;
#[cfg(test)]
mod sys_copy;
#[cfg(test)]
mod sys_freeze;
#[cfg(test)]
mod sys_grow;
#[cfg(test)]
mod sys_loop;
#[cfg(test)]
mod sys_mount;
