//! The Helm chart, as Helm renders it: what an admin can write in the values, and what comes of it.
//!
//! Nothing here needs a cluster. What a real API server says of the objects is in `tests/cluster`.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    dead_code,
    reason = "tests; Helm is started as a process, and the common modules serve several binaries"
)]

mod current;
#[path = "../it/docs/page.rs"]
mod docs;
mod helm;
mod image;
mod lint;
mod names;
mod nodes;
mod pods;
mod pools;
mod roles;
mod table;
mod values;
