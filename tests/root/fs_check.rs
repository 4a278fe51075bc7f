//! e2fsck runs when there is a reason, and its verdict is passed on.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use orlop::fs::{self, Error, Format, check};
use orlop::sys::reflink::clone_range;
use orlop::tool::Program;
use orlop::volume::FsType;

use crate::support::{Image, MIB, TempPool, block_on, in_mount_namespace, new_dir, no_lock, run};

const SIZE: u64 = 64 * MIB;

fn formatted(pool: &TempPool) -> Image {
    let image = Image::create(&pool.path(), "ext4", SIZE);
    let wish = Format { fs: FsType::Ext4, uuid: None, thin: true };
    block_on(fs::format(image.path(), no_lock(), wish)).unwrap();
    image
}

fn checked(image: &Path) -> Result<(), Error> {
    block_on(check(image, FsType::Ext4, no_lock()))
}

fn superblock(image: &Image) -> String {
    run(Program::Dumpe2fs, [Path::new("-h"), image.path()]).stdout
}

/// Returns an image as a power cut leaves it: a copy of one that is mounted.
fn dirty(pool: &TempPool) -> Image {
    let image = formatted(pool);
    let at = new_dir(pool.outside(), "at");
    let _mounted = image.mount("ext4", &at);
    std::fs::write(at.join("file"), "kept").unwrap();
    File::open(at.join("file")).unwrap().sync_all().unwrap();
    let copy = Image::create(&pool.path(), "copy", SIZE);
    let open = |image: &Image| File::options().read(true).write(true).open(image.path()).unwrap();
    clone_range(&open(&image), &open(&copy), 0, SIZE).unwrap();
    copy
}

#[test]
fn a_dirty_journal_is_replayed() {
    in_mount_namespace();
    let pool = TempPool::new();
    let image = dirty(&pool);
    assert!(superblock(&image).contains("needs_recovery"));
    checked(image.path()).unwrap();
    assert!(!superblock(&image).contains("needs_recovery"));
    let mounted = image.mount("ext4", &new_dir(pool.outside(), "copy"));
    assert_eq!(std::fs::read_to_string(mounted.at().join("file")).unwrap(), "kept");
}

#[test]
fn flagged_errors_are_looked_into_and_a_clean_one_is_left_alone() {
    in_mount_namespace();
    let pool = TempPool::new();
    let image = formatted(&pool);
    let last_check = |image: &Image| {
        let superblock = superblock(image);
        superblock.lines().find(|line| line.starts_with("Last checked")).unwrap().to_owned()
    };
    let before = (last_check(&image), std::fs::read(image.path()).unwrap());
    checked(image.path()).unwrap();
    assert!(before == (last_check(&image), std::fs::read(image.path()).unwrap()));

    run(Program::Tune2fs, ["-E", "force_fsck"].map(Path::new).into_iter().chain([image.path()]));
    assert!(superblock(&image).contains("clean with errors"));
    checked(image.path()).unwrap();
    assert!(!superblock(&image).contains("clean with errors"));
}

/// > An ext4 is checked before it is mounted where its journal is dirty or an error is flagged; what e2fsck does not
/// > dare to repair is FAILED_PRECONDITION.
#[test]
fn what_e2fsck_does_not_dare_is_for_a_person() {
    in_mount_namespace();
    let pool = TempPool::new();
    let image = formatted(&pool);
    run(Program::Tune2fs, ["-E", "force_fsck"].map(Path::new).into_iter().chain([image.path()]));
    // The inode tables are behind the descriptors and bitmaps, in the first MiB; the root is in the first one.
    let output = run(Program::Dumpe2fs, [image.path()]).stdout;
    let table = output.split_once("Inode table at ").unwrap().1;
    let block: u64 = table.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    let file = File::options().write(true).open(image.path()).unwrap();
    file.write_all_at(&[0xFF; 4096], block * 4096).unwrap();
    let error = checked(image.path()).unwrap_err();
    assert!(matches!(error, Error::NeedsRepair { .. }), "{error}");
    let sentence = orlop::error::Error::from(error).sentence();
    assert!(sentence.contains("e2fsck -f"), "{sentence}");
}

#[test]
fn the_others_need_no_check() {
    in_mount_namespace();
    for fs in [FsType::Xfs, FsType::Btrfs] {
        block_on(check(Path::new("/nonexistent"), fs, no_lock())).unwrap();
    }
}
