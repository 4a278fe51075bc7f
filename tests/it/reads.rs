//! Calls that only read: what they say is so, and they wait for nobody.

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use tonic::Code;

use crate::driver::Driver;
use crate::requests::{at_least, block, create, create_block, file_system, mount, pairs, snapshot};
use crate::simulated::driver;

async fn volume(driver: &mut Driver, request: v1::CreateVolumeRequest) -> v1::Volume {
    driver.controller.create_volume(request).await.unwrap().into_inner().volume.unwrap()
}

/// > Probe says ready once the pools are open, and is answered at once whatever else is going on.
#[tokio::test]
async fn probe_is_answered_whatever_is_locked() {
    let mut driver = driver().await;
    let id = volume(&mut driver, create("pvc")).await.volume_id;
    let _guard = driver.locks.try_lock(&id).unwrap();
    let ready = driver.identity.probe(v1::ProbeRequest {}).await.unwrap().into_inner().ready;
    assert_eq!(ready, Some(true));
    let info = driver.identity.get_plugin_info(v1::GetPluginInfoRequest {}).await.unwrap();
    let info = info.into_inner();
    assert_eq!(
        (info.name.as_str(), &*info.vendor_version),
        ("csi.orlop.dev", env!("CARGO_PKG_VERSION"))
    );
}

/// > Validation confirms only what is so in every point, and otherwise says in its message what is not.
#[tokio::test]
async fn validation_confirms_what_is_so_in_every_point() {
    let mut driver = driver().await;
    let created =
        v1::CreateVolumeRequest { parameters: pairs(&[("pool", "default")]), ..create("pvc") };
    let volume = volume(&mut driver, created).await;
    let so = v1::ValidateVolumeCapabilitiesRequest {
        volume_id: volume.volume_id,
        // The provisioner adds a key of its own, which nobody gave out.
        volume_context: pairs(&[("storage.kubernetes.io/csiProvisionerIdentity", "x")]),
        volume_capabilities: vec![mount(), file_system("xfs", Mode::MultiNodeReaderOnly)],
        parameters: pairs(&[("pool", "default"), ("blockSize", "4096")]),
        ..<_>::default()
    };
    let answer = driver.controller.validate_volume_capabilities(so.clone()).await.unwrap();
    let answer = answer.into_inner();
    let confirmed = answer.confirmed.unwrap();
    assert_eq!(confirmed.volume_capabilities, so.volume_capabilities);
    assert_eq!(
        (confirmed.parameters, confirmed.volume_context),
        (so.parameters.clone(), so.volume_context.clone())
    );
    assert_eq!(answer.message, "");
    let capable = |capability| v1::ValidateVolumeCapabilitiesRequest {
        volume_capabilities: vec![mount(), capability],
        ..so.clone()
    };
    let with = |key, value| v1::ValidateVolumeCapabilitiesRequest {
        parameters: pairs(&[(key, value)]),
        ..so.clone()
    };
    for (request, naming) in [
        (capable(block()), "it holds xfs, not raw blocks"),
        (capable(file_system("ext4", Mode::SingleNodeWriter)), "it holds xfs, not ext4"),
        (with("pool", "fast"), "the volume is in pool default"),
        (with("blockSize", "512"), "the volume has 4096-byte blocks"),
        (with("colour", "red"), "unknown field `colour`"),
    ] {
        let answer = driver.controller.validate_volume_capabilities(request).await.unwrap();
        let answer = answer.into_inner();
        assert_eq!(answer.confirmed, None);
        assert!(answer.message.contains(naming), "{:?} does not say {naming:?}", answer.message);
    }
}

/// > A filter that matches nothing gives an empty list.
#[tokio::test]
async fn a_filter_shows_what_matches_and_nothing_is_no_error() {
    let mut driver = driver().await;
    let mut sources = Vec::new();
    for name in ["one", "two"] {
        let source = volume(&mut driver, create(name)).await.volume_id;
        for cut in ["early", "late"] {
            let request = snapshot(&format!("{cut} of {name}"), &source);
            driver.controller.create_snapshot(request).await.unwrap();
        }
        sources.push(source);
    }
    let all = async |driver: &mut Driver, source: &str, id: &str| {
        let request = v1::ListSnapshotsRequest {
            source_volume_id: source.to_owned(),
            snapshot_id: id.to_owned(),
            ..<_>::default()
        };
        let answer = driver.controller.list_snapshots(request).await.unwrap().into_inner();
        let found = answer.entries.into_iter().map(|entry| entry.snapshot.unwrap());
        found.collect::<Vec<_>>()
    };
    assert_eq!(all(&mut driver, "", "").await.len(), 4);
    for source in &sources {
        let of_source = all(&mut driver, source, "").await;
        assert_eq!(of_source.len(), 2);
        assert!(of_source.iter().all(|one| one.source_volume_id == *source));
    }
    let one = all(&mut driver, &sources[0], "").await.remove(0);
    assert_eq!(all(&mut driver, "", &one.snapshot_id).await, std::slice::from_ref(&one));
    assert_eq!(all(&mut driver, &sources[0], &one.snapshot_id).await, std::slice::from_ref(&one));
    for (source, id) in [
        (sources[1].as_str(), one.snapshot_id.as_str()),
        ("fake-vol-id", ""),
        ("", "none-exist-id"),
    ] {
        assert_eq!(all(&mut driver, source, id).await, [], "{source} {id}");
    }
}

/// > GetCapacity never says more than a create would get: a volume of the largest size can be made, one that is a
/// > block larger cannot. Elsewhere there is none.
#[tokio::test]
async fn capacity_is_what_a_create_would_get() {
    let mut driver = driver().await;
    volume(&mut driver, create("takes some")).await;
    let request = v1::GetCapacityRequest::default();
    let said = driver.controller.get_capacity(request.clone()).await.unwrap().into_inner();
    let largest = said.maximum_volume_size.unwrap();
    assert!(largest <= said.available_capacity && largest > 0);
    let sized =
        |size| v1::CreateVolumeRequest { capacity_range: at_least(size), ..create_block("all") };
    let refused = driver.controller.create_volume(sized(largest + 4096)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(volume(&mut driver, sized(largest)).await.capacity_bytes, largest);
    let said = driver.controller.get_capacity(request.clone()).await.unwrap().into_inner();
    assert_eq!(said.available_capacity, 0);
    let mars = pairs(&[("topology.csi.orlop.dev/node", "mars")]);
    let elsewhere = v1::GetCapacityRequest {
        accessible_topology: Some(v1::Topology { segments: mars }),
        ..request
    };
    let said = driver.controller.get_capacity(elsewhere).await.unwrap().into_inner();
    assert_eq!(said.available_capacity, 0);
}
