//! Whose a pool is.

use std::fs;
use std::sync::Arc;

use orlop::backend::image::{ImagePool, Settings};
use orlop::backend::{Backend, Local};

use crate::image_support::{Disk, block, unfit};

/// > A pool of another node is refused until it is adopted.
#[test]
fn another_node_is_refused_until_it_adopts_the_pool() {
    let disk = Disk::new();
    let theirs = Settings { node: "n2".into(), ..disk.thin() };
    let said = disk.block_on(ImagePool::adopt(theirs.clone())).unwrap_err().sentence();
    assert!(said.contains("nothing to adopt"), "{said}");
    let wanted = block("moved");
    disk.run(async |pool| drop(pool.create(&wanted).await.unwrap()));

    let said = disk.refused(theirs.clone());
    assert!(said.contains(r#"belongs to node "n1" and this is node "n2""#), "{said}");
    assert!(said.contains("`orlop adopt test`"), "{said}");
    assert_eq!(disk.block_on(ImagePool::adopt(theirs.clone())).unwrap(), "n1");
    disk.run_with(theirs, async |pool| {
        assert!(pool.find(&wanted.id).await.unwrap().is_some());
    });
    assert!(disk.refused(disk.thin()).contains(r#"belongs to node "n2""#));
}

/// > A pool has one driver at a time.
#[test]
fn a_pool_has_one_owner_at_a_time() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let second = ImagePool::open(disk.thin()).await;
        assert!(unfit(second).contains("another driver is using pool test"));
        let adopting = ImagePool::adopt(disk.thin()).await;
        assert!(unfit(adopting).contains("another driver is using pool test"));
        drop(pool);
    });
    disk.run(async |_| {});
}

/// > Volumes that are in use stay so while no driver runs, and the next driver finds them.
#[test]
fn the_pool_is_found_again_by_the_next_driver() {
    let disk = Disk::new();
    let wanted = block("kept");
    let device = disk.run(async |pool| {
        pool.create(&wanted).await.unwrap();
        pool.attach(&wanted.id).await.unwrap().device
    });
    disk.run(async |pool| {
        assert_eq!(pool.attached(&wanted.id).await.unwrap(), Some(device.clone()));
        let again = pool.attach(&wanted.id).await.unwrap();
        assert_eq!(again.device, device);
        drop(again);
        pool.detach(&wanted.id).await.unwrap();
        assert!(!pool.create(&wanted).await.unwrap().is_made());
    });
}

/// > A pool in a format that a newer Orlop wrote is refused and untouched.
#[test]
fn what_the_pool_says_of_itself_is_believed_or_refused() {
    let disk = Disk::new();
    disk.run(async |pool: Arc<ImagePool>| drop(pool.create(&block("there")).await.unwrap()));
    let file = disk.pool().join("pool.json");
    let whole = fs::read_to_string(&file).unwrap();
    let newer = whole.replace(r#""formatVersion": 1"#, r#""formatVersion": 2"#);
    for (text, expected) in [
        (newer.as_str(), "a newer Orlop wrote"),
        ("", "cannot be understood"),
        (&whole[..20], "cannot be understood"),
        (
            whole.replace("test", "best").as_str(),
            r#"the config calls pool "test" what was made as pool "best""#,
        ),
    ] {
        fs::write(&file, text).unwrap();
        let said = disk.refused(disk.thin());
        assert!(said.contains(expected), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::remove_file(&file).unwrap();
    let said = disk.refused(disk.thin());
    assert!(said.contains("has volumes but no pool.json"), "{said}");
    fs::write(&file, whole).unwrap();
    disk.run(async |_| {});
}

#[test]
fn what_has_our_names_and_is_not_ours_is_left_alone() {
    for foreign in ["new/x", "trash/x", "volumes/x", "snapshots/x", "ballast", "trash"] {
        let disk = Disk::new();
        let file = disk.pool().join(foreign);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "precious").unwrap();
        let said = disk.refused(disk.thin());
        assert!(said.contains("but no pool.json"), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(!disk.pool().join("pool.json").exists());
    }
}
