//! Any request at all, to a driver on the memory pool.

use crate::driver::connect;
use crate::fuzzer::{self, Requests};
use crate::random::RPCS;
use crate::simulated::unlimited;

/// The requests are made by the descriptors, so a new RPC is asked without anybody thinking of it.
#[test]
fn every_rpc_of_the_interface_is_asked() {
    let streams = ["GetMetadataAllocated", "GetMetadataDelta"];
    let groups = ["CreateVolumeGroupSnapshot", "DeleteVolumeGroupSnapshot"];
    for name in streams.iter().chain(&groups) {
        assert!(RPCS.iter().any(|rpc| rpc.path.ends_with(name)), "{name}");
    }
    assert_eq!(RPCS.len(), 36);
}

/// > No request, however wrong, ends the driver or is answered with INTERNAL.
#[test]
fn no_request_makes_the_driver_panic_or_fail_inside() {
    fuzzer::ask_lists(file!(), 1, answer);
}

fn answer(requests: &Requests) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let driver = unlimited().await;
        let mut channel = connect(driver.path("csi.sock")).await;
        fuzzer::furnish(&channel).await;
        fuzzer::ask(&mut channel, driver.room.path(), requests).await;
        fuzzer::is_alive(&channel).await;
        assert!(driver.locks.held().is_empty(), "{:?}", driver.locks.held());
    });
}
