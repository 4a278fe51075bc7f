//! Group snapshots of volumes that are being written: no write is in one member without those before it in the
//! others, and whatever goes wrong leaves nothing behind.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::sys::freeze::{freeze, thaw};
use tonic::{Code, Status};

use crate::driver::text;
use crate::requests::{
    MIB, block, create, delete_group, file_system, get_group, group, node_expand, of_snapshot,
    snapshot,
};
use crate::rig::{Rig, with_rig};
use crate::support::{mount_at, unseal};

/// A volume and where its pod has it.
struct Published {
    id: String,
    at: PathBuf,
    capability: v1::VolumeCapability,
}

fn fs(kind: &str) -> v1::VolumeCapability {
    file_system(kind, Mode::SingleNodeWriter)
}

fn with(name: &str, capability: &v1::VolumeCapability) -> v1::CreateVolumeRequest {
    v1::CreateVolumeRequest { volume_capabilities: vec![capability.clone()], ..create(name) }
}

async fn published(rig: &mut Rig, kinds: Vec<v1::VolumeCapability>) -> Vec<Published> {
    let mut volumes = Vec::new();
    for (number, capability) in kinds.into_iter().enumerate() {
        let id = rig.create(with(&format!("source {number}"), &capability)).await;
        let at = rig.publish(&id, &capability).await;
        volumes.push(Published { id, at, capability });
    }
    volumes
}

async fn all_go(rig: &mut Rig, volumes: &[Published]) {
    for volume in volumes {
        rig.unpublish(&volume.id).await;
        rig.delete(&volume.id).await;
    }
}

async fn cut(
    rig: &mut Rig,
    name: &str,
    volumes: &[Published],
) -> Result<v1::VolumeGroupSnapshot, Status> {
    let sources: Vec<_> = volumes.iter().map(|volume| volume.id.as_str()).collect();
    let answer = rig.driver.groups.create_volume_group_snapshot(group(name, &sources)).await?;
    Ok(answer.into_inner().group_snapshot.unwrap())
}

fn members(group: &v1::VolumeGroupSnapshot) -> Vec<String> {
    group.snapshots.iter().map(|member| member.snapshot_id.clone()).collect()
}

async fn delete(rig: &mut Rig, group: &v1::VolumeGroupSnapshot) {
    let request = delete_group(&group.group_snapshot_id, &members(group));
    rig.driver.groups.delete_volume_group_snapshot(request).await.unwrap();
}

/// Where a pod keeps its counter: in a file, or at the start of the device.
fn counter(at: &Path) -> PathBuf {
    if at.is_dir() { at.join("counter") } else { at.to_owned() }
}

fn read_counter(at: &Path) -> u64 {
    let mut bytes = [0; 8];
    File::open(counter(at)).unwrap().read_exact(&mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}

/// Writes an increasing number to one volume after the other, each on the disk before the next.
struct Writer {
    done: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Writer {
    fn start(volumes: &[Published], pause: Duration) -> Self {
        let open = |volume: &Published| {
            let mut options = OpenOptions::new();
            let create = volume.at.is_dir();
            options.write(true).create(create).custom_flags(nix::libc::O_SYNC);
            options.open(counter(&volume.at)).unwrap()
        };
        let files: Vec<_> = volumes.iter().map(open).collect();
        for file in &files {
            file.write_all_at(&0_u64.to_le_bytes(), 0).unwrap();
        }
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            for number in 1_u64.. {
                for file in &files {
                    file.write_all_at(&number.to_le_bytes(), 0).unwrap();
                }
                std::thread::sleep(pause);
                if stop.load(Ordering::Relaxed) {
                    return number;
                }
            }
            unreachable!()
        });
        Self { done, thread }
    }

    /// Stops it and returns the last number.
    fn stop(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Returns the counter in the snapshot, by restoring it to a volume that a pod then reads.
async fn counter_in(rig: &mut Rig, snapshot: &str, capability: &v1::VolumeCapability) -> u64 {
    let request = v1::CreateVolumeRequest {
        volume_content_source: of_snapshot(snapshot),
        ..with(&format!("of {snapshot}"), capability)
    };
    let restored = rig.create(request).await;
    let at = rig.publish(&restored, capability).await;
    let number = read_counter(&at);
    rig.unpublish(&restored).await;
    rig.delete(&restored).await;
    number
}

/// Returns the counters of a group's members in the order of the volumes, and deletes the group.
async fn counters(
    rig: &mut Rig,
    group: &v1::VolumeGroupSnapshot,
    volumes: &[Published],
) -> Vec<u64> {
    let mut numbers = Vec::new();
    for volume in volumes {
        let of_volume = |member: &&v1::Snapshot| member.source_volume_id == volume.id;
        let member = group.snapshots.iter().find(of_volume).unwrap();
        numbers.push(counter_in(rig, &member.snapshot_id, &volume.capability).await);
    }
    delete(rig, group).await;
    numbers
}

/// Says whether the writer, which writes to the first one first, can have left them so at any instant.
fn in_order(numbers: &[u64]) -> bool {
    let (first, last) = (numbers[0], *numbers.last().unwrap());
    numbers.is_sorted_by(|a, b| a >= b) && first - last <= 1
}

const ROUNDS: usize = 8;

async fn pairs_are_in_order(mut rig: Rig, kinds: Vec<v1::VolumeCapability>) -> Rig {
    let volumes = published(&mut rig, kinds).await;
    let writer = Writer::start(&volumes, Duration::ZERO);
    let mut groups = Vec::new();
    for round in 0..ROUNDS {
        std::thread::sleep(Duration::from_millis(7));
        groups.push(cut(&mut rig, &format!("group {round}"), &volumes).await.unwrap());
    }
    let last = writer.stop();
    let mut before = 0;
    for group in &groups {
        let numbers = counters(&mut rig, group, &volumes).await;
        assert!(in_order(&numbers), "{numbers:?}");
        assert!(before < numbers[0] && numbers[0] <= last, "{before} {numbers:?} {last}");
        before = numbers[0];
    }
    all_go(&mut rig, &volumes).await;
    rig
}

/// > All members are cut at one instant of the writes to all of them: who writes to one volume and then to another
/// > never finds the second write in a group without the first.
#[test]
fn no_pair_of_mounted_volumes_is_cut_out_of_order() {
    with_rig(|rig| pairs_are_in_order(rig, vec![fs("xfs"), fs("ext4")]));
}

#[test]
fn no_pair_of_a_copy_on_write_file_system_is_cut_out_of_order() {
    with_rig(|rig| pairs_are_in_order(rig, vec![fs("btrfs"), fs("xfs")]));
}

#[test]
fn a_raw_volume_is_cut_while_the_others_are_frozen() {
    with_rig(|rig| pairs_are_in_order(rig, vec![block(), fs("xfs"), fs("ext4")]));
}

/// What the tests above would find if the members were cut one after the other.
#[test]
fn snapshots_that_are_cut_one_after_the_other_are_out_of_order() {
    with_rig(|mut rig| async move {
        let volumes = published(&mut rig, vec![fs("xfs"), fs("ext4")]).await;
        let writer = Writer::start(&volumes, Duration::ZERO);
        let mut cuts = Vec::new();
        for volume in &volumes {
            let request = snapshot(&format!("cut {}", volume.id), &volume.id);
            let answer = rig.driver.controller.create_snapshot(request).await.unwrap();
            cuts.push(answer.into_inner().snapshot.unwrap().snapshot_id);
        }
        writer.stop();
        let mut numbers = Vec::new();
        for (cut, volume) in cuts.iter().zip(&volumes) {
            numbers.push(counter_in(&mut rig, cut, &volume.capability).await);
            let request = crate::requests::delete_snapshot(cut);
            rig.driver.controller.delete_snapshot(request).await.unwrap();
        }
        assert!(!in_order(&numbers), "{numbers:?}");
        all_go(&mut rig, &volumes).await;
        rig
    });
}

/// Nobody can hold raw devices still: of two, the cut is of one instant or it is refused.
///
/// > Raw volumes cannot be frozen: they are cut at an instant at which none of them was written to, or not at all
/// > (FAILED_PRECONDITION).
#[test]
fn two_raw_volumes_are_cut_at_one_instant_or_not_at_all() {
    with_rig(|mut rig| async move {
        let volumes = published(&mut rig, vec![block(), block()]).await;
        let mut made = 0;
        for (round, pause) in [0, 0, 0, 20, 20, 20].into_iter().enumerate() {
            let writer = Writer::start(&volumes, Duration::from_millis(pause));
            std::thread::sleep(Duration::from_millis(5));
            let outcome = cut(&mut rig, &format!("group {round}"), &volumes).await;
            writer.stop();
            match outcome {
                Ok(group) => {
                    let numbers = counters(&mut rig, &group, &volumes).await;
                    assert!(in_order(&numbers), "{numbers:?}");
                    made += 1;
                }
                Err(status) => {
                    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
                    assert!(status.message().contains("written to all the time"), "{status:?}");
                    assert_eq!(pause, 0, "{status:?}");
                }
            }
        }
        assert!(made >= 3, "only {made} groups");
        all_go(&mut rig, &volumes).await;
        rig
    });
}

#[test]
fn eight_writers_go_on_and_every_member_is_restored() {
    with_rig(|mut rig| async move {
        let volumes = published(&mut rig, vec![fs("ext4"); 8]).await;
        let writers: Vec<_> =
            volumes.chunks(1).map(|volume| Writer::start(volume, Duration::ZERO)).collect();
        let group = cut(&mut rig, "all", &volumes).await.unwrap();
        let counted = counters(&mut rig, &group, &volumes).await;
        for (writer, number) in writers.into_iter().zip(counted) {
            // Each has gone on behind the cut.
            assert!(number <= writer.stop());
        }
        for volume in &volumes {
            assert!(!thaw(&mount_at(&volume.at)).unwrap());
            assert!(!rig.pool_dir().join("volumes").join(&volume.id).join("frozen").exists());
        }
        all_go(&mut rig, &volumes).await;
        rig
    });
}

fn is_empty(rig: &Rig, places: &[&str]) {
    for place in places {
        let left: Vec<_> = fs::read_dir(rig.pool_dir().join(place)).unwrap().collect();
        assert!(left.is_empty(), "left in {place}: {left:?}");
    }
}

/// > Where one member cannot be cut, every volume goes on, and no member is left.
#[test]
fn a_member_that_cannot_be_frozen_thaws_all_and_leaves_nothing() {
    with_rig(|mut rig| async move {
        let volumes = published(&mut rig, vec![fs("xfs"), fs("ext4"), fs("ext4")]).await;
        let theirs = freeze(&mount_at(&volumes[1].at)).unwrap();
        let refused = cut(&mut rig, "group", &volumes).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        assert!(refused.message().contains("frozen by somebody else"), "{refused:?}");
        is_empty(&rig, &["new", "snapshots", "groups"]);
        for (number, volume) in volumes.iter().enumerate() {
            assert!(!rig.pool_dir().join("volumes").join(&volume.id).join("frozen").exists());
            if number != 1 {
                assert!(!thaw(&mount_at(&volume.at)).unwrap(), "{number}");
            }
        }
        // What somebody else froze is theirs.
        assert!(theirs.thaw().unwrap());
        let made = cut(&mut rig, "group", &volumes).await.unwrap();
        delete(&mut rig, &made).await;
        all_go(&mut rig, &volumes).await;
        rig
    });
}

#[test]
fn a_member_is_as_large_as_its_source_was_and_keeps_its_size() {
    with_rig(|mut rig| async move {
        let volumes = published(&mut rig, vec![fs("xfs"), block()]).await;
        let made = cut(&mut rig, "group", &volumes).await.unwrap();
        for volume in &volumes {
            let request = crate::requests::expand(&volume.id, 700 * MIB);
            rig.driver.controller.controller_expand_volume(request).await.unwrap();
            let request = node_expand(&volume.id, &text(&volume.at));
            rig.driver.node.node_expand_volume(request).await.unwrap();
        }
        // The repeat is about the same instant, whatever has become of the sources.
        assert_eq!(cut(&mut rig, "group", &volumes).await.unwrap(), made);
        let later = cut(&mut rig, "later", &volumes).await.unwrap();
        for (group, size) in [(&made, 512 * MIB), (&later, 700 * MIB)] {
            for member in &group.snapshots {
                assert_eq!(member.size_bytes, size);
            }
            delete(&mut rig, group).await;
        }
        all_go(&mut rig, &volumes).await;
        rig
    });
}

#[test]
fn a_group_outlives_its_driver_and_members_without_one_do_not() {
    with_rig(|mut rig| async move {
        let volumes = published(&mut rig, vec![fs("ext4"), block()]).await;
        let kept = cut(&mut rig, "kept", &volumes).await.unwrap();
        let lost = cut(&mut rig, "lost", &volumes).await.unwrap();
        let damaged = cut(&mut rig, "damaged", &volumes).await.unwrap();
        let group_dir = |rig: &Rig, group: &v1::VolumeGroupSnapshot| {
            rig.pool_dir().join("groups").join(&group.group_snapshot_id)
        };
        fs::remove_dir_all(group_dir(&rig, &lost)).unwrap();
        let record = group_dir(&rig, &damaged).join("group.json");
        let right = fs::read(&record).unwrap();
        fs::write(&record, "").unwrap();
        let mut rig = rig.restarted().await;
        rig.pool.settled().await;

        let request = get_group(&kept.group_snapshot_id, &members(&kept));
        let found = rig.driver.groups.get_volume_group_snapshot(request).await.unwrap();
        assert_eq!(found.into_inner().group_snapshot.unwrap(), kept);
        // Nobody can tell what a damaged record says, and so nothing of its group is touched.
        let request = delete_group(&damaged.group_snapshot_id, &members(&damaged));
        let refused = rig.driver.groups.delete_volume_group_snapshot(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("group.json is empty"), "{refused:?}");
        let all = v1::ListSnapshotsRequest::default();
        let all = rig.driver.controller.list_snapshots(all).await.unwrap().into_inner().entries;
        let listed: Vec<_> = all.into_iter().map(|one| one.snapshot.unwrap().snapshot_id).collect();
        let mut expected = [members(&kept), members(&damaged)].concat();
        expected.sort();
        assert_eq!(listed, expected);

        fs::write(&record, right).unwrap();
        for group in [&kept, &damaged] {
            delete(&mut rig, group).await;
        }
        // The name of what was lost is free.
        let again = cut(&mut rig, "lost", &volumes).await.unwrap();
        delete(&mut rig, &again).await;
        all_go(&mut rig, &volumes).await;
        rig
    });
}

#[test]
fn a_group_that_lost_a_member_says_so_and_can_be_deleted() {
    with_rig(|mut rig| async move {
        let volumes = published(&mut rig, vec![fs("ext4"), block()]).await;
        let made = cut(&mut rig, "group", &volumes).await.unwrap();
        let gone = &members(&made)[0];
        let dir = rig.pool_dir().join("snapshots").join(gone);
        unseal(&dir.join("data.img"));
        fs::remove_dir_all(dir).unwrap();
        let mut rig = rig.restarted().await;
        let request = get_group(&made.group_snapshot_id, &members(&made));
        let refused = rig.driver.groups.get_volume_group_snapshot(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
        assert!(refused.message().contains(gone), "{refused:?}");
        delete(&mut rig, &made).await;
        all_go(&mut rig, &volumes).await;
        rig
    });
}
