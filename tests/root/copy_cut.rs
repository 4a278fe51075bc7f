//! Cutting a copy: of one moment, within its limit, and never leaving a volume frozen.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orlop::backend::image::copy::{Error, Wish, Writers, cut, thaw_marked};
use orlop::fs::{self, Format};
use orlop::sys::beneath::Dir;
use orlop::sys::freeze::{freeze, thaw};
use orlop::sys::mountinfo::Mount;
use orlop::volume::FsType;

use crate::support::{
    Image, MIB, Mounted, TempPool, block_on, in_mount_namespace, mount_at, new_dir, no_lock,
};

const SIZE: u64 = 400 * MIB;
const LIMIT: Duration = Duration::from_mins(1);

/// A volume that is mounted, in a pool, with a place for its copy.
struct Volume {
    mounted: Mounted,
    mount: Mount,
    writers: Writers,
    image: Image,
    dir: Dir,
    target: PathBuf,
    _pool: TempPool,
}

impl Volume {
    fn new(fs: FsType) -> Self {
        let pool = TempPool::of_size(1024 * MIB);
        let dir = Dir::open(&new_dir(&pool.path(), "v-1")).unwrap();
        let image = Image::create(dir.path(), "data.img", SIZE);
        block_on(fs::format(image.path(), no_lock(), Format { fs, uuid: None, thin: true }))
            .unwrap();
        let mounted = image.mount(fs.as_str(), &new_dir(pool.outside(), "at"));
        let mount = mount_at(mounted.at());
        let target = new_dir(&pool.path(), "new").join("data.img");
        let writers = Writers::OfFiles { mount: mount.clone(), limited: None };
        Self { mounted, mount, writers, image, dir, target, _pool: pool }
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            source: self.image.path(),
            target: &self.target,
            writers: &self.writers,
            volume: &self.dir,
            freeze_limit: LIMIT,
            reflink: true,
        }
    }

    /// Asserts that writers go on and that no next start would thaw anything.
    fn is_as_before(&self) {
        assert!(!thaw(&self.mount).unwrap());
        assert_eq!(self.dir.names().unwrap(), ["data.img"]);
        std::fs::write(self.mounted.at().join("after"), "").unwrap();
    }
}

#[test]
fn a_busy_writer_does_not_make_copies_impossible() {
    in_mount_namespace();
    for fs in FsType::ALL {
        let volume = Volume::new(fs);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| keep_writing(volume.mounted.at(), &done));
            std::thread::sleep(Duration::from_millis(300));
            cut(&volume.wish()).unwrap();
            done.store(true, Ordering::Relaxed);
        });
        volume.is_as_before();
        let copy = File::open(&volume.target).unwrap();
        assert_eq!(copy.metadata().unwrap().len(), SIZE);
    }
}

fn keep_writing(at: &Path, done: &AtomicBool) {
    for number in 0.. {
        std::fs::write(at.join("file"), vec![0; 1 << 16]).unwrap();
        if done.load(Ordering::Relaxed) || number > 100_000 {
            return;
        }
    }
}

/// > A mounted file system is held still for at most `freezeLimit`; a copy that takes longer is given up, and the
/// > volume goes on.
#[test]
fn a_copy_that_takes_too_long_is_given_up_and_the_volume_goes_on() {
    in_mount_namespace();
    let volume = Volume::new(FsType::Xfs);
    let wish = Wish { freeze_limit: Duration::ZERO, ..volume.wish() };
    let error = cut(&wish).unwrap_err();
    assert!(matches!(error, Error::TooSlow { .. }), "{error}");
    volume.is_as_before();
}

#[test]
fn a_copy_that_fails_lets_the_volume_go_on() {
    in_mount_namespace();
    let volume = Volume::new(FsType::Xfs);
    // A target on another file system: sharing fails while the volume is frozen.
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("data.img");
    let error = cut(&Wish { target: &target, ..volume.wish() }).unwrap_err();
    assert!(matches!(error, Error::Kernel(_)), "{error}");
    volume.is_as_before();
}

#[test]
fn what_somebody_else_froze_stays_frozen() {
    in_mount_namespace();
    let volume = Volume::new(FsType::Xfs);
    let theirs = freeze(&volume.mount).unwrap();
    let error = cut(&volume.wish()).unwrap_err();
    assert!(matches!(error, Error::FrozenAlready { .. }), "{error}");
    assert!(!thaw_marked(&volume.dir, Some(std::slice::from_ref(&volume.mount))).unwrap());
    assert!(theirs.thaw().unwrap());
    volume.is_as_before();
}

#[test]
fn what_a_killed_driver_froze_is_thawed_at_the_next_start() {
    in_mount_namespace();
    for frozen in [true, false] {
        let volume = Volume::new(FsType::Ext4);
        // The process died: its marker and the frozen file system are all that is left of it.
        std::fs::write(volume.dir.path_of("frozen"), "").unwrap();
        if frozen {
            let mut fsfreeze = std::process::Command::new("fsfreeze");
            assert!(fsfreeze.arg("-f").arg(volume.mounted.at()).status().unwrap().success());
        }
        assert!(thaw_marked(&volume.dir, Some(std::slice::from_ref(&volume.mount))).unwrap());
        volume.is_as_before();
        assert!(!thaw_marked(&volume.dir, Some(std::slice::from_ref(&volume.mount))).unwrap());
    }
}

#[test]
fn what_is_mounted_out_of_sight_keeps_its_marker() {
    in_mount_namespace();
    let volume = Volume::new(FsType::Ext4);
    std::fs::write(volume.dir.path_of("frozen"), "").unwrap();
    let error = thaw_marked(&volume.dir, Some(&[])).unwrap_err();
    assert!(matches!(error, Error::OutOfSight { .. }), "{error}");
    let covered = Mount { id: u32::MAX, ..volume.mount.clone() };
    let error = thaw_marked(&volume.dir, Some(std::slice::from_ref(&covered))).unwrap_err();
    assert!(matches!(error, Error::Kernel(_)), "{error}");
    assert!(volume.dir.exists("frozen").unwrap());
    assert!(thaw_marked(&volume.dir, Some(&[covered, volume.mount.clone()])).unwrap());
    volume.is_as_before();
}

#[test]
fn a_marker_without_a_device_is_forgotten() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("frozen"), "").unwrap();
    let volume = Dir::open(dir.path()).unwrap();
    assert!(thaw_marked(&volume, None).unwrap());
    assert!(volume.names().unwrap().is_empty());
}

#[test]
fn without_sharing_only_what_nobody_uses_is_copied() {
    in_mount_namespace();
    let volume = Volume::new(FsType::Ext4);
    std::fs::write(volume.mounted.at().join("file"), "kept").unwrap();
    let wish = Wish { reflink: false, ..volume.wish() };
    assert!(matches!(cut(&wish).unwrap_err(), Error::Busy));
    let device = volume.image.attach();
    let of_device = Writers::OfDevice { path: device.device.path.clone(), limited: None };
    let raw = Wish { writers: &of_device, ..wish };
    assert!(matches!(cut(&raw).unwrap_err(), Error::Busy));
    assert!(!volume.target.exists());
    drop(device);

    let Volume { _pool, target, dir, image, mounted, .. } = volume;
    drop(mounted);
    assert!(orlop::sys::loopdev::detach_image(image.path()).unwrap());
    let unused = Wish {
        source: image.path(),
        target: &target,
        writers: &Writers::Nobody,
        volume: &dir,
        freeze_limit: LIMIT,
        reflink: false,
    };
    cut(&unused).unwrap();
    assert!(std::fs::read(image.path()).unwrap() == std::fs::read(&target).unwrap());
}

#[test]
fn a_raw_device_is_copied_with_all_that_was_written() {
    in_mount_namespace();
    let pool = TempPool::new();
    let dir = Dir::open(&new_dir(&pool.path(), "v-1")).unwrap();
    let image = Image::create(dir.path(), "data.img", 16 * MIB);
    let device = image.attach();
    // Into the page cache of the device, where it would stay for a while.
    std::fs::OpenOptions::new().write(true).open(&device.device.path).unwrap();
    let content: Vec<u8> = (0..16 * MIB).map(|at| (at / 4096 % 251) as u8).collect();
    std::fs::write(&device.device.path, &content).unwrap();
    let target = pool.path().join("copy");
    let writers = Writers::OfDevice { path: device.device.path.clone(), limited: None };
    let wish = Wish {
        source: image.path(),
        target: &target,
        writers: &writers,
        volume: &dir,
        freeze_limit: LIMIT,
        reflink: true,
    };
    cut(&wish).unwrap();
    assert!(std::fs::read(&target).unwrap() == content);
    // A target is only ever made: what is there may be somebody's.
    assert!(matches!(cut(&wish).unwrap_err(), Error::Kernel(_)));
}
