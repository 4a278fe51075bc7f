//! Whose a pool is.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orlop::backend::image::{ImagePool, Place, Provisioning, Settings, check};
use orlop::backend::{Backend, Local};
use orlop::sys::loopdev::{self, Backing};
use orlop::sys::mountinfo::MountTable;
use orlop::volume::Bytes;

use crate::image_support::{Disk, Own, block, unfit};
use crate::support::{Image, new_dir};

const SIZE: Bytes = Bytes::mib(512);

/// A pool's own file system as another node has it: mounted, with a log that has more than the rest of the disk.
fn in_use_elsewhere(disk: &Disk, change: impl Fn(&Path)) -> (PathBuf, Own) {
    let path = disk.outside().join("disk/original.img");
    let own = Own::new(disk, Place::File { path: path.clone(), size: SIZE }, Provisioning::Thick);
    disk.run_with(own.settings.clone(), async |_| {});
    // With that, all of it has its place.
    own.unmount();
    disk.run_with(own.settings.clone(), async |pool| {
        pool.create(&block("alive")).await.unwrap();
    });
    change(&own.root());
    let copy = disk.outside().join("disk/copy.img");
    fs::copy(&path, &copy).unwrap();
    own.unmount();
    (copy, own)
}

fn of_another_node(own: &Own, place: Place) -> Settings {
    Settings { node: "n2".into(), place, ..own.settings.clone() }
}

fn differs(one: &Path, other: &Path) -> bool {
    let [mut one, mut other] =
        [one, other].map(|path| BufReader::with_capacity(1 << 20, File::open(path).unwrap()));
    let [mut left, mut right] = [(); 2].map(|()| vec![0; 1 << 20]);
    (0..SIZE.0 >> 20).any(|_| {
        one.read_exact(&mut left).unwrap();
        other.read_exact(&mut right).unwrap();
        left != right
    })
}

/// > A pool that another node may be using is refused without a byte of its disk being changed.
#[test]
fn a_pool_that_another_node_uses_is_refused_before_it_is_mounted() {
    let disk = Disk::new();
    let (path, own) = in_use_elsewhere(&disk, |_| {});
    let before = disk.outside().join("disk/before.img");
    fs::copy(&path, &before).unwrap();
    let is_refused = |place: Place| {
        let theirs = of_another_node(&own, place);
        let said = disk.refused(theirs.clone());
        assert!(said.contains(r#"belongs to node "n1" and this is node "n2""#), "{said}");
        let said = disk.block_on(check::check(&theirs)).unwrap_err().sentence();
        assert!(said.contains(r#"belongs to node "n1""#), "{said}");
        assert!(MountTable::read().unwrap().at(&own.root()).is_none());
    };
    // It would grow, too.
    is_refused(Place::File { path: path.clone(), size: SIZE.plus(SIZE) });
    assert_eq!(loopdev::find(&Backing::of(&path).unwrap()).unwrap(), []);
    let image = Image::of(&path);
    is_refused(Place::Device(image.attach().device.path));
    drop(image);
    assert_eq!(fs::metadata(&path).unwrap().len(), SIZE.0);
    assert!(!differs(&path, &before));
    // Its own node replays the log, and has what only that knew.
    let place = Place::File { path: path.clone(), size: SIZE };
    disk.run_with(Settings { place, ..own.settings.clone() }, async |pool| {
        assert!(pool.find(&block("alive").id).await.unwrap().is_some());
    });
    own.unmount();
    assert!(differs(&path, &before));
}

/// A power cut can leave a pool whose `pool.json` is only whole when the log has been replayed.
#[test]
fn what_cannot_be_read_without_the_log_is_read_behind_it() {
    let disk = Disk::new();
    let (path, own) = in_use_elsewhere(&disk, |root| {
        let file = root.join("pool.json");
        let text = fs::read(&file).unwrap();
        fs::write(root.join("whole"), text).unwrap();
        File::open(root.join("whole")).unwrap().sync_all().unwrap();
    });
    // What has its place is damaged, and the log gets what puts it right.
    let at = new_dir(disk.outside(), "at");
    let image = Image::of(&path);
    let mounted = image.mount("xfs", &at);
    fs::write(at.join("pool.json"), "{").unwrap();
    drop(mounted);
    let mounted = image.mount("xfs", &at);
    fs::rename(at.join("whole"), at.join("pool.json")).unwrap();
    File::open(&at).unwrap().sync_all().unwrap();
    let copy = disk.outside().join("disk/cut.img");
    fs::copy(&path, &copy).unwrap();
    drop(mounted);
    drop(image);

    let place = Place::File { path: copy.clone(), size: SIZE };
    let said = disk.refused(of_another_node(&own, place.clone()));
    assert!(said.contains(r#"belongs to node "n1""#), "{said}");
    // What was mounted for nothing is not mounted any more.
    assert!(MountTable::read().unwrap().at(&own.root()).is_none());
    assert_eq!(loopdev::find(&Backing::of(&copy).unwrap()).unwrap(), []);
    disk.run_with(Settings { place, ..own.settings.clone() }, async |pool| {
        assert!(pool.find(&block("alive").id).await.unwrap().is_some());
    });
}

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
    for foreign in ["new/x", "trash/x", "volumes/x", "snapshots/x", "ballast", "spare", "trash"] {
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
