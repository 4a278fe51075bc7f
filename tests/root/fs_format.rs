//! File systems made on files: as small as we promise, without features that Linux 5.14 lacks, mountable with
//! either block size.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use orlop::fs::{self, Format, least_size, read_uuid};
use orlop::sys::loopdev::{self, AttachOptions};
use orlop::tool::Program;
use orlop::volume::FsType;
use uuid::Uuid;

use crate::support::{
    Image, MIB, Mounted, TempPool, WRITABLE, block_on, in_mount_namespace, new_dir, no_lock, run,
};

fn formatted(dir: &Path, name: &str, size: u64, fs: FsType) -> Result<Image, fs::Error> {
    let image = Image::create(dir, name, size);
    let wish = Format { fs, uuid: None, thin: true };
    block_on(fs::format(image.path(), no_lock(), wish)).map(|()| image)
}

#[test]
fn the_least_sizes_can_be_used_and_nothing_smaller_is_made() {
    in_mount_namespace();
    let pool = TempPool::of_size(1024 * MIB);
    for fs in FsType::ALL {
        let least = least_size(fs).0;
        let image = formatted(&pool.path(), fs.as_str(), least, fs).unwrap();
        let mounted = image.mount(fs.as_str(), &new_dir(pool.outside(), fs.as_str()));
        std::fs::write(mounted.at().join("file"), vec![7; 2 << 20]).unwrap();
        rustix::fs::syncfs(std::fs::File::open(mounted.at()).unwrap()).unwrap();
        drop(mounted);
        let smaller = formatted(&pool.path(), "smaller", least - MIB, fs);
        match fs {
            FsType::Xfs | FsType::Btrfs => assert!(smaller.is_err()),
            // It makes smaller ones, but without a journal.
            FsType::Ext4 => {
                assert!(!features_of_ext4(smaller.unwrap().path()).contains("has_journal"));
            }
        }
        std::fs::remove_file(pool.path().join("smaller")).unwrap();
    }
}

fn features_of_ext4(image: &Path) -> String {
    let output = run(Program::Dumpe2fs, [Path::new("-h"), image]).stdout;
    let line = output.lines().find_map(|line| line.strip_prefix("Filesystem features:"));
    line.unwrap().split_whitespace().collect::<Vec<_>>().join(",")
}

#[test]
fn no_feature_is_newer_than_the_oldest_kernel() {
    in_mount_namespace();
    let pool = TempPool::of_size(1024 * MIB);
    let made = |fs: FsType| formatted(&pool.path(), fs.as_str(), 400 * MIB, fs).unwrap();

    let xfs = made(FsType::Xfs);
    let words = ["-r", "-c", "version"].map(Path::new);
    let version = run(Program::XfsDb, words.into_iter().chain([xfs.path()])).stdout;
    let found = version.trim().split_once("= ").unwrap().1;
    let expected = "V5,NLINK,DIRV2,ALIGN,LOGV2,EXTFLG,SECTOR,MOREBITS,ATTR2,LAZYSBCOUNT,PROJID32BIT,\
                    CRC,FTYPE,FINOBT,SPARSE_INODES,REFLINK,INOBTCNT,BIGTIME";
    assert_eq!(found, expected);

    let ext4 = made(FsType::Ext4);
    let expected = "has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,\
                    metadata_csum_seed,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum";
    assert_eq!(features_of_ext4(ext4.path()), expected);

    let btrfs = made(FsType::Btrfs);
    let words = ["inspect-internal", "dump-super"].map(Path::new);
    let output = run(Program::Btrfs, words.into_iter().chain([btrfs.path()])).stdout;
    let value = |name: &str| {
        let line = output.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().split_whitespace().next().unwrap().to_owned()
    };
    // MIXED_BACKREF, EXTENDED_IREF, SKINNY_METADATA, NO_HOLES; the free space tree.
    assert_eq!((&*value("incompat_flags"), &*value("compat_ro_flags")), ("0x341", "0x3"));
    assert_eq!(value("csum_type"), "0");
}

#[test]
fn each_gets_the_uuid_that_was_asked_for() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    for fs in FsType::ALL {
        let image = Image::create(dir.path(), fs.as_str(), 400 * MIB);
        let uuid = Uuid::new_v4();
        let wish = Format { fs, uuid: Some(uuid), thin: false };
        block_on(fs::format(image.path(), no_lock(), wish)).unwrap();
        assert_eq!(read_uuid(image.path(), fs).unwrap(), uuid, "{fs}");
    }
}

#[test]
fn a_thin_image_takes_next_to_nothing() {
    in_mount_namespace();
    let pool = TempPool::of_size(1024 * MIB);
    for fs in FsType::ALL {
        let image = formatted(&pool.path(), fs.as_str(), 10 << 30, fs).unwrap();
        let taken = std::fs::metadata(image.path()).unwrap().blocks() * 512;
        assert!(taken < 8 * MIB, "{fs} takes {taken}");
        drop(image.mount(fs.as_str(), &new_dir(pool.outside(), fs.as_str())));
    }
}

#[test]
fn a_copy_mounts_whatever_the_block_size_is() {
    in_mount_namespace();
    let pool = TempPool::of_size(2048 * MIB);
    for fs in FsType::ALL {
        let image = formatted(&pool.path(), fs.as_str(), 400 * MIB, fs).unwrap();
        for block_size in [512, 4096] {
            let options = AttachOptions { block_size, direct_io: block_size == 4096, ..WRITABLE };
            // Sharing extents is what forbids smaller sectors, in the source as in the copy.
            let copy = Image::create(&pool.path(), &format!("{fs}-{block_size}"), 400 * MIB);
            let open = |image: &Image| {
                std::fs::File::options().read(true).write(true).open(image.path()).unwrap()
            };
            orlop::sys::reflink::clone_range(&open(&image), &open(&copy), 0, 400 * MIB).unwrap();
            for (name, image) in [("source", &image), ("copy", &copy)] {
                let at = new_dir(pool.outside(), &format!("{fs}-{block_size}-{name}"));
                let attached = loopdev::attach(image.path(), options).unwrap();
                let mounted = Mounted::filesystem(fs.as_str(), &attached.device.path, &at);
                std::fs::write(at.join("file"), vec![7; 1 << 20]).unwrap();
                drop(mounted);
                drop(attached);
                assert!(loopdev::detach_image(image.path()).unwrap());
            }
        }
    }
}
