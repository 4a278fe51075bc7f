//! Each thing that can be the matter with a volume or its pool: provoked, found by every way of asking, and gone
//! when it is put right.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use nix::mount::{MsFlags, mount};
use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::csi::v1::{StorageHealthErrorType as Storage, VolumeHealthErrorType as Status};
use orlop::sys::loopdev::{self, LoopDevice};
use tonic::Code;

use crate::driver::{Driver, text};
use crate::requests;
use crate::rig::{Rig, with_rig};
use crate::support::mount_at;

const MIB: u64 = 1 << 20;

/// Returns the statuses and reasons of a volume, which are the same whoever is asked.
pub(crate) async fn of_volume(driver: &mut Driver, id: &str) -> Vec<(Status, String)> {
    let request =
        v1::ControllerGetVolumeHealthRequest { volume_id: id.to_owned(), ..<_>::default() };
    let got = driver.controller.controller_get_volume_health(request).await.unwrap();
    let got = got.into_inner().volume_health.unwrap();
    assert_eq!(got.volume_id, id);
    let request = v1::NodeGetVolumeHealthRequest { volume_id: id.to_owned(), ..<_>::default() };
    let on_node = driver.node.node_get_volume_health(request).await.unwrap();
    let on_node = words(&on_node.into_inner().volume_health.unwrap());
    let request = v1::ControllerListVolumeHealthRequest::default();
    let list = driver.controller.controller_list_volume_health(request).await.unwrap();
    let mut listed = list.into_inner().entries.into_iter().filter(|entry| entry.volume_id == id);
    let found = words(&got);
    assert_eq!(on_node, found);
    match listed.next() {
        Some(entry) => assert_eq!(words(&entry), found),
        None => assert_eq!(found, [], "a volume that is not well is listed"),
    }
    assert!(got.health_statuses.iter().all(|one| one.message.len() > 20), "{got:?}");
    found
}

/// Returns the same as seen from the node with the volume's paths.
async fn at_paths(rig: &mut Rig, id: &str) -> Vec<(Status, String)> {
    let path = |kind: &str| text(&rig.driver.path(&format!("{kind} {id}")));
    let request = v1::NodeGetVolumeHealthRequest {
        volume_id: id.to_owned(),
        volume_publish_path: path("target"),
        staging_target_path: path("staging"),
    };
    let answer = rig.driver.node.node_get_volume_health(request).await.unwrap();
    words(&answer.into_inner().volume_health.unwrap())
}

pub(crate) async fn of_storage(driver: &mut Driver) -> Vec<(Storage, String)> {
    let request = v1::NodeGetStorageHealthRequest::default();
    let answer = driver.node.node_get_storage_health(request).await.unwrap();
    let entries = answer.into_inner().backend_health.into_iter();
    entries.map(|one| (one.status(), one.reason)).collect()
}

fn words(health: &v1::VolumeHealth) -> Vec<(Status, String)> {
    health.health_statuses.iter().map(|one| (one.status(), one.reason.clone())).collect()
}

pub(crate) fn is(status: Status, reason: &str) -> Vec<(Status, String)> {
    vec![(status, reason.to_owned())]
}

fn image(rig: &Rig, id: &str) -> PathBuf {
    rig.pool_dir().join("volumes").join(id).join("data.img")
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

fn device_at(path: &Path) -> LoopDevice {
    LoopDevice::numbered(mount_at(path).device).unwrap().unwrap()
}

/// > What is well has no condition, and what does not exist is NOT_FOUND.
#[test]
fn what_is_well_has_no_condition_and_what_is_not_there_no_health() {
    with_rig(async |mut rig| {
        let id = rig.create(requests::create("well")).await;
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        rig.publish(&id, &requests::mount()).await;
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        assert_eq!(at_paths(&mut rig, &id).await, []);
        assert_eq!(of_storage(&mut rig.driver).await, []);
        rig.unpublish(&id).await;
        for (volume_id, code) in [("", Code::InvalidArgument), ("no-such-volume", Code::NotFound)] {
            let volume_id = volume_id.to_owned();
            let request = v1::ControllerGetVolumeHealthRequest {
                volume_id: volume_id.clone(),
                ..<_>::default()
            };
            let refused = rig.driver.controller.controller_get_volume_health(request).await;
            assert_eq!(refused.unwrap_err().code(), code);
            let request = v1::NodeGetVolumeHealthRequest { volume_id, ..<_>::default() };
            let refused = rig.driver.node.node_get_volume_health(request).await;
            assert_eq!(refused.unwrap_err().code(), code);
        }
        rig.delete(&id).await;
        rig
    });
}

#[test]
fn those_that_are_unwell_are_listed_in_pages() {
    with_rig(async |mut rig| {
        let mut ids = Vec::new();
        for number in 0..5 {
            ids.push(rig.create(requests::create(&format!("page {number}"))).await);
        }
        let healthy = ids.pop().unwrap();
        for id in &ids {
            fs::rename(image(&rig, id), image(&rig, id).with_extension("away")).unwrap();
        }
        ids.sort();
        let (mut seen, mut starting_token) = (Vec::new(), String::new());
        loop {
            let request = v1::ControllerListVolumeHealthRequest {
                max_entries: 3,
                starting_token,
                ..<_>::default()
            };
            let page = rig.driver.controller.controller_list_volume_health(request).await.unwrap();
            let page = page.into_inner();
            seen.extend(page.entries.into_iter().map(|entry| entry.volume_id));
            starting_token = page.next_token;
            if starting_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, ids);
        let starting_token = "never given".to_owned();
        let request = v1::ControllerListVolumeHealthRequest { starting_token, ..<_>::default() };
        let refused = rig.driver.controller.controller_list_volume_health(request).await;
        assert_eq!(refused.unwrap_err().code(), Code::Aborted);
        for id in &ids {
            fs::rename(image(&rig, id).with_extension("away"), image(&rig, id)).unwrap();
            rig.delete(id).await;
        }
        rig.delete(&healthy).await;
        rig
    });
}

/// > An image that is missing or shorter than recorded is DATA_LOSS.
#[test]
fn an_image_that_is_missing_or_short_is_data_loss() {
    with_rig(async |mut rig| {
        let id = rig.create(requests::create("image")).await;
        let image = image(&rig, &id);
        let away = image.with_extension("away");
        fs::rename(&image, &away).unwrap();
        assert_eq!(of_volume(&mut rig.driver, &id).await, is(Status::DataLoss, "ImageMissing"));
        fs::rename(&away, &image).unwrap();
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        let file = File::options().write(true).open(&image).unwrap();
        let size = file.metadata().unwrap().len();
        file.set_len(size - 4096).unwrap();
        assert_eq!(of_volume(&mut rig.driver, &id).await, is(Status::DataLoss, "ImageShortened"));
        file.set_len(size).unwrap();
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        rig.delete(&id).await;
        rig
    });
}

#[test]
fn a_record_that_cannot_be_read_makes_its_volume_inaccessible_at_the_next_start() {
    with_rig(async |mut rig| {
        let id = rig.create(requests::create("record")).await;
        let record = rig.pool_dir().join("volumes").join(&id).join("volume.json");
        let text = fs::read(&record).unwrap();
        fs::write(&record, &text[..text.len() / 2]).unwrap();
        // What was read before can still be used.
        assert_eq!(of_volume(&mut rig.driver, &id).await, is(Status::Degraded, "RecordUnreadable"));
        let mut rig = rig.restarted().await;
        let expected = is(Status::Inaccessible, "RecordUnreadable");
        assert_eq!(of_volume(&mut rig.driver, &id).await, expected);
        fs::write(&record, &text).unwrap();
        let found = of_volume(&mut rig.driver, &id).await;
        assert!(found.is_empty() || found == is(Status::Degraded, "RecordUnreadable"), "{found:?}");
        // Whoever uses it reads it again.
        rig.publish(&id, &requests::mount()).await;
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        rig.unpublish(&id).await;
        rig.delete(&id).await;
        rig
    });
}

#[test]
fn an_ext4_that_met_an_error_says_so_until_it_was_checked() {
    with_rig(async |mut rig| {
        let capability = requests::file_system("ext4", Mode::SingleNodeWriter);
        let request = v1::CreateVolumeRequest {
            volume_capabilities: vec![capability.clone()],
            ..requests::create("ext4")
        };
        let id = rig.create(request).await;
        let target = rig.publish(&id, &capability).await;
        let device = device_at(&target);
        let name = device.path.file_name().unwrap().to_str().unwrap().to_owned();
        fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "provoked").unwrap();
        assert!(fs::write(target.join("new"), "x").is_err());
        let found = of_volume(&mut rig.driver, &id).await;
        let expected = [
            (Status::Degraded, "FileSystemError".to_owned()),
            (Status::Inaccessible, "FileSystemReadOnly".to_owned()),
        ];
        assert_eq!(found, expected);
        rig.unpublish(&id).await;
        assert_eq!(of_volume(&mut rig.driver, &id).await, is(Status::Degraded, "FileSystemError"));
        let target = rig.publish(&id, &capability).await;
        fs::write(target.join("new"), "x").unwrap();
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        rig.unpublish(&id).await;
        rig.delete(&id).await;
        rig
    });
}

#[test]
fn a_file_system_that_has_shut_down_is_inaccessible() {
    with_rig(async |mut rig| {
        let id = rig.create(requests::create("xfs")).await;
        let target = rig.publish(&id, &requests::mount()).await;
        run("xfs_io", &["-x", "-c", "shutdown", target.to_str().unwrap()]);
        let expected = is(Status::Inaccessible, "FileSystemError");
        assert_eq!(of_volume(&mut rig.driver, &id).await, expected);
        rig.unpublish(&id).await;
        rig.publish(&id, &requests::mount()).await;
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        rig.unpublish(&id).await;
        rig.delete(&id).await;
        rig
    });
}

#[test]
fn a_device_without_its_image_is_lost() {
    with_rig(async |mut rig| {
        // Raw: somebody detaches the device under the pod.
        let block = v1::CreateVolumeRequest {
            volume_capabilities: vec![requests::block()],
            ..requests::create("raw")
        };
        let raw = rig.create(block).await;
        rig.publish(&raw, &requests::block()).await;
        assert_eq!(at_paths(&mut rig, &raw).await, []);
        assert!(loopdev::detach_image(&image(&rig, &raw)).unwrap());
        let lost = is(Status::Inaccessible, "LoopDeviceLost");
        assert_eq!(at_paths(&mut rig, &raw).await, lost);
        rig.unpublish(&raw).await;
        rig.publish(&raw, &requests::block()).await;
        assert_eq!(at_paths(&mut rig, &raw).await, []);
        rig.unpublish(&raw).await;
        rig.delete(&raw).await;

        // Mounted: somebody replaces the image below the device.
        let id = rig.create(requests::create("mounted")).await;
        rig.publish(&id, &requests::mount()).await;
        let (image, away) = (image(&rig, &id), image(&rig, &id).with_extension("away"));
        fs::rename(&image, &away).unwrap();
        run("cp", &["--reflink=always", away.to_str().unwrap(), image.to_str().unwrap()]);
        assert_eq!(of_volume(&mut rig.driver, &id).await, lost);
        fs::rename(&away, &image).unwrap();
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        rig.unpublish(&id).await;
        rig.delete(&id).await;
        rig
    });
}

#[test]
fn a_volume_that_stays_frozen_says_so_until_the_next_start_thaws_it() {
    with_rig(async |mut rig| {
        let id = rig.create(requests::create("frozen")).await;
        let target = rig.publish(&id, &requests::mount()).await;
        // What a copy leaves when its driver is killed in the middle.
        let marker = image(&rig, &id).with_file_name("frozen");
        fs::write(&marker, "").unwrap();
        assert_eq!(of_volume(&mut rig.driver, &id).await, [], "it is about to be frozen");
        run("fsfreeze", &["--freeze", target.to_str().unwrap()]);
        fs::write(&marker, "freezing\n").unwrap();
        assert_eq!(of_volume(&mut rig.driver, &id).await, [], "it may be frozen for a while");
        let long_ago = SystemTime::now() - std::time::Duration::from_secs(6);
        File::options().write(true).open(&marker).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(
            of_volume(&mut rig.driver, &id).await,
            is(Status::Inaccessible, "FrozenTooLong")
        );
        let mut rig = rig.restarted().await;
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        fs::write(target.join("words"), "writers go on").unwrap();
        rig.unpublish(&id).await;
        rig.delete(&id).await;
        rig
    });
}

#[test]
fn an_image_in_too_many_pieces_is_slow_to_copy() {
    with_rig(async |mut rig| {
        let block = v1::CreateVolumeRequest {
            volume_capabilities: vec![requests::block()],
            capacity_range: requests::at_least(4096 * requests::MIB),
            ..requests::create("pieces")
        };
        let id = rig.create(block).await;
        let image = image(&rig, &id);
        let file = File::options().write(true).open(&image).unwrap();
        for piece in 0..1024_u64 {
            file.write_all_at(&[1; 4096], piece * 8192).unwrap();
        }
        file.sync_all().unwrap();
        // Each clone doubles the number of pieces: 524,288 in the end.
        let mut length = 8 * MIB;
        while length < 2048 * MIB {
            clone_within(&image, length);
            length *= 2;
        }
        assert_eq!(of_volume(&mut rig.driver, &id).await, [], "262,144 are not too many");
        clone_within(&image, length);
        assert_eq!(of_volume(&mut rig.driver, &id).await, is(Status::Degraded, "TooManyExtents"));
        file.set_len(0).unwrap();
        file.set_len(4096 * MIB).unwrap();
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        rig.delete(&id).await;
        rig
    });
}

#[test]
fn a_thin_pool_that_is_nearly_full_or_full_says_so_of_itself_and_its_volumes() {
    with_rig(async |mut rig| {
        let id = rig.create(requests::create("thin")).await;
        let pool = rig.pool_dir();
        let filler = crate::support::new_dir(&pool, "filler");
        let free = || orlop::sys::statvfs::usage(&pool).unwrap().available_bytes;
        let leave = |bytes: u64| {
            while free() > bytes + MIB {
                let name = fs::read_dir(&filler).unwrap().count().to_string();
                let file = File::create(filler.join(name)).unwrap();
                orlop::sys::reflink::allocate(&file, (free() - bytes).min(1024 * MIB)).unwrap();
            }
        };
        leave(700 * MIB);
        assert_eq!(
            of_storage(&mut rig.driver).await,
            [(Storage::StorageDegraded, "PoolNearlyFull".into())]
        );
        assert_eq!(of_volume(&mut rig.driver, &id).await, is(Status::Degraded, "PoolNearlyFull"));
        leave(300 * MIB);
        assert_eq!(
            of_storage(&mut rig.driver).await,
            [(Storage::StorageDegraded, "PoolFull".into())]
        );
        assert_eq!(of_volume(&mut rig.driver, &id).await, is(Status::Degraded, "PoolFull"));
        // Of a file without a name XFS frees the blocks at some time later.
        for file in fs::read_dir(&filler).unwrap() {
            File::create(file.unwrap().path()).unwrap();
        }
        fs::remove_dir_all(filler).unwrap();
        assert_eq!(of_storage(&mut rig.driver).await, []);
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        rig.delete(&id).await;
        rig
    });
}

#[test]
fn a_pool_that_cannot_be_written_or_read_says_so() {
    with_rig(async |mut rig| {
        let id = rig.create(requests::create("read only")).await;
        rig.pool.settled().await;
        let at = rig.pool_dir();
        let remount = |flags| {
            // The driver fills its ballast a moment after it was started.
            let mut answer = Ok(());
            for _ in 0..200 {
                answer = mount(
                    None::<&str>,
                    &at,
                    None::<&str>,
                    MsFlags::MS_REMOUNT | flags,
                    None::<&str>,
                );
                if answer.is_ok() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            answer.unwrap();
        };
        remount(MsFlags::MS_RDONLY);
        assert_eq!(
            of_storage(&mut rig.driver).await,
            [(Storage::StorageDegraded, "PoolReadOnly".into())]
        );
        assert_eq!(of_volume(&mut rig.driver, &id).await, is(Status::Inaccessible, "PoolReadOnly"));
        remount(MsFlags::empty());
        assert_eq!(of_storage(&mut rig.driver).await, []);
        assert_eq!(of_volume(&mut rig.driver, &id).await, []);
        rig.delete(&id).await;
        rig
    });
}

/// Doubles what the file holds: its first `length` bytes are the next ones, too.
fn clone_within(file: &Path, length: u64) {
    let file = file.to_str().unwrap();
    run("xfs_io", &["-c", &format!("reflink {file} 0 {length} {length}"), file]);
}
