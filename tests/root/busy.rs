//! What keeps a mount busy: a process that uses it, or a program that is just being started.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use tonic::{Code, Status};

use crate::driver::text;
use crate::requests::{self, create, mount};
use crate::rig::{Rig, with_rig};

/// Much longer than a program takes to start on a busy machine, and shorter than the driver waits.
const MOMENT: Duration = Duration::from_millis(500);

async fn unpublish(rig: &mut Rig, id: &str, target: &Path) -> Result<(), Status> {
    let request = requests::unpublish(id, &text(target));
    rig.driver.node.node_unpublish_volume(request).await.map(drop)
}

/// > A mount that is busy for a moment is waited for; one that is in use is FAILED_PRECONDITION, and the pod goes on.
#[test]
fn a_mount_that_is_busy_for_a_moment_is_unmounted_and_one_in_use_is_not() {
    with_rig(async |mut rig| {
        let id = rig.create(create("busy")).await;
        let target = rig.publish(&id, &mount()).await;
        let used = File::create(target.join("open")).unwrap();

        let refused = unpublish(&mut rig, &id, &target).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let words = format!("a process still uses {}", target.display());
        assert!(refused.message().contains(&words), "{}", refused.message());
        assert!(target.join("open").exists(), "it is still published");

        let closing = std::thread::spawn(move || {
            std::thread::sleep(MOMENT);
            drop(used);
        });
        unpublish(&mut rig, &id, &target).await.unwrap();
        closing.join().unwrap();
        assert!(!target.exists());
        rig.unpublish(&id).await;
        rig.delete(&id).await;
        rig
    });
}
