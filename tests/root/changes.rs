//! A backup by changed blocks, as a tool makes it: over the socket, of volumes with a file system, too.

use std::path::PathBuf;

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;

use crate::requests::{
    MIB, allocated, at_least, block, create, delete_snapshot, delta, file_system, snapshot,
};
use crate::rig::{Rig, with_rig};

/// Makes a snapshot and returns its id.
async fn cut(rig: &mut Rig, name: &str, of: &str) -> String {
    let answer = rig.driver.controller.create_snapshot(snapshot(name, of)).await.unwrap();
    answer.into_inner().snapshot.unwrap().snapshot_id
}

fn image(rig: &Rig, snapshot: &str) -> Vec<u8> {
    std::fs::read(rig.pool_dir().join("snapshots").join(snapshot).join("data.img")).unwrap()
}

/// Reads the blocks of the target that the service names into the backup.
async fn apply(rig: &mut Rig, base: Option<&str>, target: &str, backup: &mut Vec<u8>) -> usize {
    let metadata = &mut rig.driver.metadata;
    let mut blocks = Vec::new();
    if let Some(base) = base {
        let request = v1::GetMetadataDeltaRequest { max_results: 100, ..delta(base, target) };
        let mut stream = metadata.get_metadata_delta(request).await.unwrap().into_inner();
        while let Some(message) = stream.message().await.unwrap() {
            assert!(message.block_metadata.len() <= 100);
            blocks.extend(message.block_metadata);
        }
    } else {
        let request = allocated(target);
        let mut stream = metadata.get_metadata_allocated(request).await.unwrap().into_inner();
        while let Some(message) = stream.message().await.unwrap() {
            blocks.extend(message.block_metadata);
        }
    }
    let source = image(rig, target);
    backup.resize(source.len(), 0);
    let mut count = 0;
    for block in blocks {
        let start = usize::try_from(block.byte_offset).unwrap();
        let size = usize::try_from(block.size_bytes).unwrap();
        backup[start..start + size].copy_from_slice(&source[start..start + size]);
        count += size;
    }
    assert!(*backup == source, "the backup of {target} is not the snapshot");
    count
}

/// Changes what is in the volume a little.
fn change(target: &PathBuf, round: u8) {
    if target.is_dir() {
        for name in 0..20_u8 {
            let bytes = vec![round ^ name; 50_000];
            std::fs::write(target.join(format!("{}", (name + round) % 30)), bytes).unwrap();
        }
        std::fs::remove_file(target.join(format!("{}", (3 + round) % 30))).unwrap();
    } else {
        use std::os::unix::fs::FileExt;
        let device = std::fs::OpenOptions::new().write(true).open(target).unwrap();
        for at in 0..20 {
            device.write_all_at(&[round; 4096], (u64::from(round) * 7 + at * 11) * 4096).unwrap();
        }
        device.sync_all().unwrap();
    }
}

#[test]
fn a_backup_that_takes_only_what_changed_is_the_volume() {
    let of = |fs| file_system(fs, Mode::SingleNodeWriter);
    with_rig(async |mut rig| {
        for capability in [of("xfs"), of("ext4"), of("btrfs"), block()] {
            let volume_capabilities = vec![capability.clone()];
            let capacity_range = at_least(304 * MIB);
            let request =
                v1::CreateVolumeRequest { volume_capabilities, capacity_range, ..create("pvc") };
            let id = rig.create(request).await;
            let target = rig.publish(&id, &capability).await;
            let mut backup = Vec::new();
            let mut cuts: Vec<String> = Vec::new();
            for round in 0..3 {
                change(&target, round);
                let next = cut(&mut rig, &format!("snap {round}"), &id).await;
                let base = cuts.last().map(String::as_str);
                let taken = apply(&mut rig, base, &next, &mut backup).await;
                assert!(taken > 0 && taken < backup.len() / 2, "{taken} of {}", backup.len());
                cuts.push(next);
            }
            rig.unpublish(&id).await;
            rig.delete(&id).await;
            // The volume is gone, its snapshots still tell.
            let mut from_first = image(&rig, &cuts[0]);
            apply(&mut rig, Some(&cuts[0]), &cuts[2], &mut from_first).await;
            for cut in cuts {
                rig.driver.controller.delete_snapshot(delete_snapshot(&cut)).await.unwrap();
            }
        }
        rig
    });
}
