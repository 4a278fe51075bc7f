//! `proto/csi.proto` says what `proto/csi-interface.json` says, no more and no less.
//!
//! Compared are the descriptors that the Rust code is generated from, not the text.

mod compiled;
mod facts;
mod redaction;

use std::collections::BTreeSet;

use orlop::csi::{self, v1};
use prost_reflect::DescriptorPool;
use serde_json::Value;

use facts::{differences, facts};

#[test]
fn the_proto_file_is_the_interface() {
    let differences = differences(&facts(&recorded()), &facts(&compiled::interface(&pool())));
    assert!(
        differences.is_empty(),
        "csi-interface.json and csi.proto differ in {} places:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn a_server_exists_for_each_service() {
    let recorded = recorded();
    let services: BTreeSet<_> = recorded["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["full_name"].as_str().unwrap())
        .collect();
    let servers = BTreeSet::from([
        v1::identity_server::SERVICE_NAME,
        v1::controller_server::SERVICE_NAME,
        v1::group_controller_server::SERVICE_NAME,
        v1::snapshot_metadata_server::SERVICE_NAME,
        v1::node_server::SERVICE_NAME,
    ]);
    assert_eq!(servers, services);
}

/// Returns the interface as it was recorded, without the note of where it comes from.
fn recorded() -> Value {
    let mut recorded: Value =
        serde_json::from_str(include_str!("../../proto/csi-interface.json")).unwrap();
    let document = recorded.as_object_mut().unwrap();
    for provenance in ["spec", "spec_version", "source"] {
        document.remove(provenance).unwrap();
    }
    recorded
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(csi::DESCRIPTOR).unwrap()
}
