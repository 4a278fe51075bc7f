//! What the config decides: which pools there are, and whether volumes are attached.

use std::sync::Arc;

use orlop::backend::LocalPool;
use orlop::backend::memory::Memory;
use orlop::controller::{self, Controller};
use orlop::csi::v1;
use orlop::csi::v1::controller_server::Controller as _;
use orlop::csi::v1::controller_service_capability::{Type, rpc};
use orlop::host::simulated::Simulated;
use orlop::volume::Bytes;
use tonic::{Code, Request};

use crate::driver::{Driver, NODE};
use crate::requests::{attach, create, delete, detach, pairs};
use crate::telling::settings;

fn memory() -> Arc<Memory> {
    Arc::new(Memory::new("m", Bytes::gib(10), Simulated::default()))
}

async fn driver(pools: &[&str]) -> Driver {
    let pool = |name: &&str| LocalPool::new(name, NODE, memory());
    let pools = pools.iter().map(pool).collect();
    Driver::start_with(pools, Arc::new(Simulated::default()), 0).await
}

fn create_in(pool: Option<&str>) -> v1::CreateVolumeRequest {
    let parameters = pool.map(|pool| pairs(&[("pool", pool)])).unwrap_or_default();
    v1::CreateVolumeRequest { parameters, ..create("pvc") }
}

/// > Without the parameter `pool` the volume is in the only pool, else in the one named `default`; with several and
/// > none of that name, INVALID_ARGUMENT names them all. A volume never changes its pool.
#[tokio::test]
async fn a_class_names_its_pool_or_means_the_default_one() {
    for (pools, means) in [
        (&["only"][..], Some("only")),
        (&["fast", "default"], Some("default")),
        (&["fast", "bulk"], None),
    ] {
        let mut driver = driver(pools).await;
        let made = driver.controller.create_volume(create_in(None)).await;
        let Some(means) = means else {
            let refused = made.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.message().ends_with("there is: fast, bulk"), "{refused:?}");
            continue;
        };
        let volume = made.unwrap().into_inner().volume.unwrap();
        for &pool in pools {
            let again = driver.controller.create_volume(create_in(Some(pool))).await;
            if pool == means {
                assert_eq!(again.unwrap().into_inner().volume.as_ref(), Some(&volume));
            } else {
                let differs = again.unwrap_err();
                assert_eq!(differs.code(), Code::AlreadyExists);
                assert!(differs.message().contains(&format!("in pool {means}, not {pool}")));
            }
        }
    }
}

/// > With `attach: off` both are UNIMPLEMENTED and not advertised.
#[tokio::test]
async fn without_attaching_it_is_neither_done_nor_advertised() {
    use rpc::Type::{ListVolumesPublishedNodes, PublishReadonly, PublishUnpublishVolume};
    for is_on in [true, false] {
        let controller =
            Controller::new(controller::Settings { attach: is_on, ..settings(memory()) });
        let made = controller.create_volume(Request::new(create("pvc"))).await.unwrap();
        let id = made.into_inner().volume.unwrap().volume_id;
        let attached = controller.controller_publish_volume(Request::new(attach(&id, NODE))).await;
        let detached =
            controller.controller_unpublish_volume(Request::new(detach(&id, NODE))).await;
        for done in [attached.map(drop), detached.map(drop)] {
            let expected = if is_on { Code::Ok } else { Code::Unimplemented };
            assert_eq!(done.map_or_else(|status| status.code(), |()| Code::Ok), expected);
        }
        let request = Request::new(v1::ControllerGetCapabilitiesRequest {});
        let answer = controller.controller_get_capabilities(request).await.unwrap().into_inner();
        let kinds = answer.capabilities.into_iter().filter_map(|capability| capability.r#type);
        let kinds: Vec<_> = kinds.map(|Type::Rpc(rpc)| rpc.r#type()).collect();
        for kind in [PublishUnpublishVolume, PublishReadonly, ListVolumesPublishedNodes] {
            assert_eq!(kinds.contains(&kind), is_on, "{kind:?}");
        }
        controller.delete_volume(Request::new(delete(&id))).await.unwrap();
    }
}
