//! A file system that has met an error and works no more: what cannot be done with it is told with what to do.

use std::process::Command;

use orlop::csi::v1::volume_capability::access_mode::Mode;
use tonic::Code;

use crate::driver::text;
use crate::requests::{MIB, create, delete_snapshot, expand, file_system, node_expand, snapshot};
use crate::rig::with_rig;

#[test]
fn a_file_system_that_has_stopped_is_told_with_what_to_do() {
    with_rig(async |mut rig| {
        let xfs = file_system("xfs", Mode::SingleNodeWriter);
        let id = rig.create(create("stops")).await;
        let target = rig.publish(&id, &xfs).await;
        rig.driver.controller.controller_expand_volume(expand(&id, 640 * MIB)).await.unwrap();
        let stop = Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&target).status();
        assert!(stop.unwrap().success());

        let cut = rig.driver.controller.create_snapshot(snapshot("cut", &id)).await.unwrap_err();
        let grown =
            rig.driver.node.node_expand_volume(node_expand(&id, &text(&target))).await.unwrap_err();
        for refused in [cut, grown] {
            assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
            assert!(refused.message().contains("unpublish and unstage the volume"), "{refused:?}");
        }

        // Which helps.
        rig.unpublish(&id).await;
        let target = rig.publish(&id, &xfs).await;
        rig.driver.node.node_expand_volume(node_expand(&id, &text(&target))).await.unwrap();
        let cut = rig.driver.controller.create_snapshot(snapshot("cut", &id)).await.unwrap();
        let cut = cut.into_inner().snapshot.unwrap().snapshot_id;
        rig.driver.controller.delete_snapshot(delete_snapshot(&cut)).await.unwrap();
        rig.unpublish(&id).await;
        rig.delete(&id).await;
        rig
    });
}
