//! Finishing a copy: from what a freeze leaves to a file system that stands beside its source.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use orlop::backend::image::copy::{Error, Pending, Wish, Writers, cut, finish};
use orlop::fs::{self, Format, has_uuid, read_uuid};
use orlop::sys::beneath::Dir;
use orlop::sys::loopdev::{self, Backing};
use orlop::sys::mountinfo::MountTable;
use orlop::sys::reflink::clone_range;
use orlop::sys::statvfs::usage;
use orlop::volume::FsType;
use uuid::Uuid;

use crate::support::{
    Image, MIB, Mounted, TempPool, block_on, in_mount_namespace, mount_at, new_dir, no_lock,
};

const SIZE: u64 = 400 * MIB;
const LARGER: u64 = 800 * MIB;

/// A mounted volume in a pool.
struct Source {
    mounted: Mounted,
    image: Image,
    dir: Dir,
    pool: TempPool,
}

impl Source {
    fn new(fs: FsType) -> Self {
        let pool = TempPool::of_size(2048 * MIB);
        let dir = Dir::open(&new_dir(&pool.path(), "v-1")).unwrap();
        let image = Image::create(dir.path(), "data.img", SIZE);
        block_on(fs::format(image.path(), no_lock(), Format { fs, uuid: None, thin: true }))
            .unwrap();
        let mounted = image.mount(fs.as_str(), &new_dir(pool.outside(), "at"));
        Self { mounted, image, dir, pool }
    }

    fn at(&self) -> &Path {
        self.mounted.at()
    }

    /// Cuts a copy of the mounted volume.
    fn cut(&self) -> Image {
        // An image, so that it is detached when the test fails.
        let target = Image::create(&self.pool.path(), "copy.img", 0);
        std::fs::remove_file(target.path()).unwrap();
        let wish = Wish {
            source: self.image.path(),
            target: target.path(),
            writers: &Writers::OfFiles { mount: mount_at(self.at()), limited: None },
            volume: &self.dir,
            freeze_limit: Duration::from_mins(1),
            reflink: true,
        };
        cut(&wish).unwrap();
        target
    }

    /// Takes what a power cut would leave: nothing is frozen, the last transactions are in the log alone.
    fn torn(&self) -> Image {
        let target = Image::create(&self.pool.path(), "copy.img", SIZE);
        clone_range(&open(self.image.path()), &open(target.path()), 0, SIZE).unwrap();
        target
    }

    fn mount_beside(&self, copy: &Image, fs: FsType) -> Mounted {
        copy.mount(fs.as_str(), &new_dir(self.pool.outside(), "copy"))
    }
}

fn open(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

fn finished(copy: &Image, fs: FsType, pending: Pending) -> Result<(), Error> {
    let outcome = block_on(finish(copy.path(), fs, no_lock(), pending));
    let devices = loopdev::find(&Backing::of(copy.path()).unwrap()).unwrap();
    assert!(devices.is_empty(), "{fs} is still behind {devices:?}");
    outcome
}

fn pending(grow: bool) -> Pending {
    Pending { new_uuid: Uuid::new_v4(), grow }
}

/// Writes the same growing number into one file and then into another, each safe before the next.
fn write_in_order(at: &Path, done: &AtomicBool) {
    for number in 0_u64.. {
        for name in ["first", "second"] {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(at.join(name))
                .unwrap();
            file.write_all_at(&number.to_le_bytes(), 0).unwrap();
            file.sync_all().unwrap();
        }
        if done.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn number(path: PathBuf) -> u64 {
    u64::from_le_bytes(std::fs::read(path).unwrap().try_into().unwrap())
}

#[test]
fn a_copy_stands_beside_its_source() {
    in_mount_namespace();
    for fs in FsType::ALL {
        let source = Source::new(fs);
        let big: Vec<u8> = (0..20 * MIB).map(|at| (at / 1000 % 251) as u8).collect();
        std::fs::write(source.at().join("big"), &big).unwrap();
        // Deleted and still open: its blocks are given back when the log is replayed.
        let orphan = File::create(source.at().join("orphan")).unwrap();
        orphan.write_all_at(&big, 0).unwrap();
        std::fs::remove_file(source.at().join("orphan")).unwrap();

        let done = AtomicBool::new(false);
        let copy = std::thread::scope(|scope| {
            scope.spawn(|| write_in_order(source.at(), &done));
            std::thread::sleep(Duration::from_millis(300));
            let copy = source.cut();
            done.store(true, Ordering::Relaxed);
            copy
        });
        open(copy.path()).set_len(LARGER).unwrap();
        let pending = pending(true);
        for round in ["once", "again"] {
            let begin = Instant::now();
            finished(&copy, fs, pending).unwrap();
            println!("{fs} {round}: {:?}", begin.elapsed());
            assert!(has_uuid(copy.path(), fs, pending.new_uuid).unwrap(), "{fs}");
        }
        assert_ne!(read_uuid(source.image.path(), fs).unwrap(), pending.new_uuid, "{fs}");

        let mounted = source.mount_beside(&copy, fs);
        assert!(std::fs::read(mounted.at().join("big")).unwrap() == big, "{fs}");
        let (first, second) =
            (number(mounted.at().join("first")), number(mounted.at().join("second")));
        assert!(
            first == second || first == second + 1,
            "{fs} is of two moments: {first} and {second}"
        );
        assert!(
            usage(mounted.at()).unwrap().total_bytes > LARGER - 100 * MIB,
            "{fs} has not grown"
        );
        std::fs::write(mounted.at().join("new"), "").unwrap();
        std::fs::write(source.at().join("new"), "").unwrap();
    }
}

#[test]
fn a_copy_of_the_same_size_needs_no_growing() {
    in_mount_namespace();
    for (fs, grow) in FsType::ALL.into_iter().flat_map(|fs| [(fs, false), (fs, true)]) {
        let source = Source::new(fs);
        std::fs::write(source.at().join("file"), "kept").unwrap();
        let copy = source.cut();
        finished(&copy, fs, pending(grow)).unwrap();
        let mounted = source.mount_beside(&copy, fs);
        assert_eq!(std::fs::read_to_string(mounted.at().join("file")).unwrap(), "kept");
    }
}

#[test]
fn a_log_that_is_to_be_replayed_is_not_lost() {
    in_mount_namespace();
    for fs in FsType::ALL {
        let source = Source::new(fs);
        std::fs::write(source.at().join("file"), "kept").unwrap();
        File::open(source.at().join("file")).unwrap().sync_all().unwrap();
        let copy = source.torn();
        open(copy.path()).set_len(LARGER).unwrap();
        finished(&copy, fs, pending(true)).unwrap();
        let mounted = source.mount_beside(&copy, fs);
        assert_eq!(std::fs::read_to_string(mounted.at().join("file")).unwrap(), "kept", "{fs}");
    }
}

#[test]
fn a_change_of_uuid_that_was_cut_off_is_finished() {
    in_mount_namespace();
    let source = Source::new(FsType::Xfs);
    std::fs::write(source.at().join("file"), "kept").unwrap();
    let copy = source.cut();
    let mut old = vec![0; 4096];
    open(copy.path()).read_exact_at(&mut old, 0).unwrap();
    let pending = pending(false);
    finished(&copy, FsType::Xfs, pending).unwrap();
    // As a kill leaves it between the log, which has the new UUID, and the superblock: no kernel mounts it.
    open(copy.path()).write_all_at(&old, 0).unwrap();
    finished(&copy, FsType::Xfs, pending).unwrap();
    let mounted = source.mount_beside(&copy, FsType::Xfs);
    assert_eq!(std::fs::read_to_string(mounted.at().join("file")).unwrap(), "kept");
}

#[test]
fn nobody_sees_the_private_mount() {
    in_mount_namespace();
    let source = Source::new(FsType::Xfs);
    let copy = source.cut();
    open(copy.path()).set_len(LARGER).unwrap();
    let (before, done) = (mounts(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(mounts(), before);
            }
        });
        let outcome = finished(&copy, FsType::Xfs, pending(true));
        done.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
}

/// Returns where something is mounted in this test's namespace, which threads started here share.
fn mounts() -> Vec<PathBuf> {
    MountTable::read().unwrap().iter().map(|mount| mount.at.clone()).collect()
}

#[test]
fn a_damaged_copy_is_reported() {
    in_mount_namespace();
    let source = Source::new(FsType::Xfs);
    let copy = source.cut();
    // The root inode's block of the first allocation group, found by its magic.
    let file = open(copy.path());
    let mut bytes = vec![0; 4 << 20];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let root = bytes.chunks(4096).position(|block| block.starts_with(b"IN")).unwrap();
    file.write_all_at(&[0xFF; 4096], root as u64 * 4096).unwrap();
    let error = finished(&copy, FsType::Xfs, pending(false)).unwrap_err();
    assert!(matches!(error, Error::FileSystem(fs::Error::Kernel(_))), "{error}");
}
