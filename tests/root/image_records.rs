//! What lies in a pool is whole or damaged, and damage hurts nobody else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orlop::backend::image::{ImagePool, Provisioning, Ratio, Settings, read_only};
use orlop::backend::{Backend, Local};
use orlop::error::Error;
use orlop::volume::{Bytes, VolumeId};

use crate::image_support::{Disk, block, unfit};

fn record(disk: &Disk, id: &VolumeId) -> PathBuf {
    disk.pool().join(format!("volumes/{id}/volume.json"))
}

/// Makes of a whole record, which it is given with its path, a damaged one.
type Damage = fn(&Path, &str);

const DAMAGES: [(&str, &str, Damage); 10] = [
    ("empty", "is empty", |path, _| fs::write(path, "").unwrap()),
    ("half", "is no record", |path, text| fs::write(path, &text[..text.len() / 2]).unwrap()),
    ("truncated", "is no record", |path, text| fs::write(path, &text[..text.len() - 3]).unwrap()),
    ("foreign", "is no record", |path, _| fs::write(path, r#"{"kind":"Pod"}"#).unwrap()),
    ("other id", "is the record of v-", |path, text| {
        let id = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        fs::write(path, text.replace(id, &format!("v-{}", "0".repeat(32)))).unwrap();
    }),
    ("newer", "a newer Orlop", |path, text| {
        fs::write(path, text.replace(r#""formatVersion": 1"#, r#""formatVersion": 2"#)).unwrap();
    }),
    ("directory", "is no regular file", |path, _| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
    ("link", "is no regular file", |path, text| {
        let elsewhere = path.with_file_name("elsewhere.json");
        fs::write(&elsewhere, text).unwrap();
        fs::remove_file(path).unwrap();
        symlink(elsewhere, path).unwrap();
    }),
    ("missing", "does not exist", |path, _| fs::remove_file(path).unwrap()),
    ("huge", "which no record has", |path, text| {
        fs::write(path, format!("{text}{}", " ".repeat(1 << 20))).unwrap();
    }),
];

/// > A record that is damaged hurts its own volume alone, and is never written over.
#[test]
fn a_damaged_record_hurts_its_own_volume_alone() {
    let disk = Disk::new();
    let wishes: Vec<_> = DAMAGES.iter().map(|(name, ..)| block(name)).collect();
    let whole = block("whole");
    let available = disk.run(async |pool| {
        for wanted in wishes.iter().chain([&whole]) {
            pool.create(wanted).await.unwrap();
        }
        pool.capacity(whole.content).await.unwrap().available
    });
    let mut texts = Vec::new();
    for ((_, _, damage), wanted) in DAMAGES.iter().zip(&wishes) {
        let path = record(&disk, &wanted.id);
        let text = fs::read_to_string(&path).unwrap();
        damage(&path, &text);
        texts.push((path, text));
    }
    disk.run(async |pool| {
        assert_eq!(pool.damaged().len(), DAMAGES.len());
        assert_eq!(pool.list(None, usize::MAX).await.unwrap().len(), 1);
        assert_eq!(pool.capacity(whole.content).await.unwrap().available, available);
        for (((name, expected, _), wanted), (path, _)) in DAMAGES.iter().zip(&wishes).zip(&texts) {
            let before = fs::symlink_metadata(path).ok().map(|metadata| metadata.len());
            for said in [
                unfit(pool.find(&wanted.id).await),
                unfit(pool.create(wanted).await),
                unfit(pool.delete(&wanted.id).await),
                unfit(pool.expand(&wanted.id, Bytes::mib(32)).await),
                unfit(pool.set_attachments(&wanted.id, &[]).await),
                unfit(pool.attach(&wanted.id).await),
            ] {
                assert!(
                    said.contains(expected) && said.contains(path.to_str().unwrap()),
                    "{name}: {said}"
                );
                assert!(said.contains("put the record right, or move its directory"), "{said}");
            }
            assert_eq!(fs::symlink_metadata(path).ok().map(|metadata| metadata.len()), before);
            // What may still be mounted has to be found and let go, whatever it is.
            assert_eq!(pool.attached(&wanted.id).await.unwrap(), None);
            pool.detach(&wanted.id).await.unwrap();
        }
        pool.delete(&whole.id).await.unwrap();
        repaired_records_are_taken_up(&pool, &texts).await;
        assert!(pool.list(None, usize::MAX).await.unwrap().len() == DAMAGES.len());
        for wanted in &wishes {
            pool.delete(&wanted.id).await.unwrap();
        }
        pool.settled().await;
        let all = pool.capacity(whole.content).await.unwrap().available;
        assert_eq!(all, available.plus(Bytes::mib(16 * 11)));
    });
}

/// Nobody has to restart the driver for that.
async fn repaired_records_are_taken_up(pool: &ImagePool, texts: &[(PathBuf, String)]) {
    for (path, text) in texts {
        if path.is_dir() {
            fs::remove_dir(path).unwrap();
        } else if fs::symlink_metadata(path).is_ok() {
            fs::remove_file(path).unwrap();
        }
        fs::write(path, text).unwrap();
        let id = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert!(pool.find(&id.parse().unwrap()).await.unwrap().is_some());
    }
    assert_eq!(pool.damaged(), []);
}

#[test]
fn ten_thousand_volumes_do_not_keep_the_first_request_waiting() {
    let disk = Disk::new();
    let first = block("volume 0");
    disk.run(async |pool| drop(pool.create(&first).await.unwrap()));
    let text = fs::read_to_string(record(&disk, &first.id)).unwrap();
    for number in 1..10_000 {
        let wanted = block(&format!("volume {number}"));
        let text = text.replace(first.id.as_str(), wanted.id.as_str());
        let path = record(&disk, &wanted.id);
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace(first.name.as_str(), wanted.name.as_str())).unwrap();
        let image = fs::File::create(path.with_file_name("data.img")).unwrap();
        image.set_len(wanted.size.0).unwrap();
    }
    let roomy = Provisioning::Thin(Ratio::whole(100));
    let begin = Instant::now();
    disk.run_with(Settings { provisioning: roomy, ..disk.thin() }, async |pool| {
        let last = block("volume 9999");
        assert!(pool.find(&last.id).await.unwrap().is_some());
        let limit = Duration::from_secs(if cfg!(debug_assertions) { 4 } else { 1 });
        let elapsed = begin.elapsed();
        assert!(elapsed < limit, "{elapsed:?}");
        eprintln!("ready after {elapsed:?}");
        assert_eq!(pool.list(None, usize::MAX).await.unwrap().len(), 10_000);
    });
}

/// Whoever looks at a damaged record reads the disk; meanwhile it may be put right, changed and deleted.
#[test]
fn a_record_that_is_looked_at_while_it_changes_is_counted_once() {
    let disk = Disk::new();
    let wanted = block("looked at");
    let (empty, text) = disk.run(async |pool| {
        let empty = pool.capacity(wanted.content).await.unwrap().available;
        pool.create(&wanted).await.unwrap();
        (empty, fs::read_to_string(record(&disk, &wanted.id)).unwrap())
    });
    for round in 0..25 {
        fs::write(record(&disk, &wanted.id), "").unwrap();
        disk.run(async |pool| {
            let looks = (0..8).map(|_| {
                let (pool, id) = (pool.clone(), wanted.id.clone());
                tokio::spawn(async move {
                    for _ in 0..20 {
                        match pool.find(&id).await {
                            Ok(_) | Err(Error::Unfit { .. }) => {}
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                })
            });
            let looks: Vec<_> = looks.collect();
            let path = record(&disk, &wanted.id);
            let new = path.with_file_name("new");
            fs::write(&new, &text).unwrap();
            fs::rename(new, path).unwrap();
            while pool.expand(&wanted.id, Bytes::mib(32)).await.is_err() {}
            pool.delete(&wanted.id).await.unwrap();
            for look in looks {
                look.await.unwrap();
            }
            pool.settled().await;
            assert_eq!(pool.find(&wanted.id).await.unwrap(), None, "{round}");
            assert_eq!(pool.capacity(wanted.content).await.unwrap().available, empty, "{round}");
            pool.create(&wanted).await.unwrap();
        });
    }
}

/// What an earlier driver has left under a name is being removed when that name is given again.
#[test]
fn what_is_removed_and_what_is_built_under_one_name_do_not_meet() {
    let disk = Disk::new();
    let all: Vec<_> = (0..12).map(|number| block(&format!("raced {number}"))).collect();
    let empty = disk.run(async |pool| pool.capacity(all[0].content).await.unwrap().available);
    for round in 0..15 {
        for wanted in &all {
            let left = disk.pool().join(format!("new/{}", wanted.id));
            fs::create_dir(&left).unwrap();
            fs::File::create(left.join("data.img")).unwrap().set_len(1 << 20).unwrap();
        }
        disk.run(async |pool| {
            let creates: Vec<_> = all
                .iter()
                .map(|wanted| {
                    let (pool, wanted) = (pool.clone(), wanted.clone());
                    tokio::spawn(async move { pool.create(&wanted).await })
                })
                .collect();
            for create in creates {
                match create.await.unwrap() {
                    // Somebody is at it: a retry finds it done.
                    Ok(_) | Err(Error::Pending { .. }) => {}
                    Err(other) => panic!("{round}: {other:?}"),
                }
            }
            for wanted in &all {
                pool.create(wanted).await.unwrap();
                pool.delete(&wanted.id).await.unwrap();
            }
            pool.settled().await;
            for room in ["new", "trash", "volumes"] {
                assert_eq!(fs::read_dir(disk.pool().join(room)).unwrap().count(), 0, "{room}");
            }
            // What was locked when it was to be removed is looked at again some seconds later.
            let began = Instant::now();
            while round == 0 && pool.capacity(all[0].content).await.unwrap().available != empty {
                assert!(began.elapsed() < Duration::from_secs(15));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
}

#[test]
fn a_name_that_is_no_id_is_told_and_left_alone() {
    let disk = Disk::new();
    disk.run(async |_| {});
    let stray = disk.pool().join("volumes/lost+found");
    fs::create_dir(&stray).unwrap();
    disk.run(async |pool| {
        let damaged = pool.damaged();
        assert_eq!(damaged.len(), 1);
        assert_eq!(
            damaged[0].to_string(),
            format!("{} lies where only ids are names", stray.display())
        );
    });
    assert!(stray.exists());
}

#[test]
fn an_empty_directory_in_the_way_is_not_replaced() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let wanted = block("blocked");
        let way = disk.pool().join(format!("volumes/{}", wanted.id));
        fs::create_dir(&way).unwrap();
        assert!(matches!(pool.create(&wanted).await, Err(Error::Internal { .. })));
        assert_eq!(fs::read_dir(&way).unwrap().count(), 0);
        assert_eq!(fs::read_dir(disk.pool().join("new")).unwrap().count(), 0);
        fs::remove_dir(&way).unwrap();
        pool.create(&wanted).await.unwrap();
    });
}

/// > A volume is there whole, with its record, its size and its file system, or it is not there.
#[test]
fn a_volume_appears_whole_or_not_at_all() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let creating = tokio::spawn(async move {
            for round in 0..40 {
                let wanted = block(&format!("appears {}", round % 4));
                pool.create(&wanted).await.unwrap();
                pool.delete(&wanted.id).await.unwrap();
            }
        });
        let settings = disk.thin();
        while !creating.is_finished() {
            let listing = read_only::volumes(&settings).await.unwrap();
            assert_eq!(listing.damaged, []);
        }
        creating.await.unwrap();
    });
}

#[test]
fn verbs_read_beside_the_driver_and_never_mount() {
    let disk = Disk::new();
    let settings = disk.thin();
    let unmade = disk.block_on(read_only::volumes(&settings));
    assert!(unmade.is_err(), "{unmade:?}");
    disk.run(async |pool| {
        let wanted = block("seen");
        let volume = pool.create(&wanted).await.unwrap().into_inner();
        let listing = read_only::volumes(&settings).await.unwrap();
        assert_eq!((listing.readable, listing.damaged), (vec![volume], vec![]));
        fs::write(record(&disk, &wanted.id), "").unwrap();
        let listing = read_only::volumes(&settings).await.unwrap();
        assert_eq!((listing.readable, listing.damaged.len()), (vec![], 1));
        assert_eq!(read_only::snapshots(&settings).await.unwrap().readable, []);
    });
}
