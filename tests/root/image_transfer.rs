//! Images that become volumes and volumes that become images: whole, or untouched.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use orlop::backend::image::ImagePool;
use orlop::backend::{Backend, Import, Imported, Local};
use orlop::error::Error;
use orlop::fs::read_uuid;
use orlop::sys::extents::Extents;
use orlop::tool::Program;
use orlop::volume::{
    BlockSize, Bytes, Content, FsType, Name, NewSnapshot, SnapshotId, Source, VolumeId,
};

use crate::image_support::{Disk, block, unfit};
use crate::support::{Image, MIB, Mounted, new_dir, run};

/// Where an image can share its bytes with the pool, and where it cannot.
fn rooms(disk: &Disk) -> [PathBuf; 2] {
    [disk.pool().parent().unwrap().to_owned(), disk.outside().to_owned()]
}

/// Makes an image with a file system, and a file in that.
fn written(dir: &Path, name: &str, fs: FsType) -> PathBuf {
    // The programs are run on a runtime of their own.
    let make = || Image::formatted(dir, name, 320 * MIB, fs.as_str());
    let image = tokio::task::block_in_place(make);
    let mounted = image.mount(fs.as_str(), &new_dir(dir, &format!("at-{name}")));
    std::fs::write(mounted.at().join("file"), "from outside").unwrap();
    drop(mounted);
    image.path().to_owned()
}

fn wish(name: &str, file: &Path) -> Import {
    let name = Name::parse(name).unwrap();
    Import { name, file: file.to_owned(), moved: false, raw: false }
}

async fn import(pool: &ImagePool, wanted: &Import) -> orlop::error::Result<Imported> {
    pool.transfer().unwrap().import(wanted).await
}

fn data(disk: &Disk, id: &VolumeId) -> PathBuf {
    disk.pool().join("volumes").join(id.as_str()).join("data.img")
}

fn shares(image: &Path) -> bool {
    let file = File::open(image).unwrap();
    Extents::synced(&file).any(|extent| extent.unwrap().is_shared())
}

/// Stages the volume and returns what is in its file.
async fn content(disk: &Disk, pool: &ImagePool, id: &VolumeId, fs: FsType) -> String {
    let attached = pool.attach(id).await.unwrap();
    let at = new_dir(disk.outside(), &format!("at-{id}"));
    let mounted = Mounted::filesystem(fs.as_str(), &attached.device.path, &at);
    let text = std::fs::read_to_string(mounted.at().join("file")).unwrap();
    drop((mounted, attached));
    pool.detach(id).await.unwrap();
    text
}

fn nothing_is_left(disk: &Disk) {
    for room in ["volumes", "new", "trash"] {
        let left: Vec<_> = std::fs::read_dir(disk.pool().join(room)).unwrap().collect();
        assert!(left.is_empty(), "in {room}: {left:?}");
    }
}

/// > An imported image is a volume with a file system of its own, beside the original, which stays as it is.
#[test]
fn an_image_with_a_file_system_is_a_volume_beside_its_original() {
    let disk = Disk::new();
    disk.run(async |pool| {
        for (room, fs) in rooms(&disk).iter().flat_map(|room| FsType::ALL.map(|fs| (room, fs))) {
            let file = written(room, &format!("{fs}.img"), fs);
            let (before, uuid) = (std::fs::read(&file).unwrap(), read_uuid(&file, fs).unwrap());
            let wanted = wish(&format!("imported {fs}"), &file);
            let volume = import(&pool, &wanted).await.unwrap().volume;
            assert_eq!((volume.content, volume.size), (Content::FileSystem(fs), Bytes::mib(320)));
            let image = data(&disk, &volume.id);
            assert_eq!(shares(&image), *room != disk.outside(), "{fs} in {}", room.display());
            assert_ne!(read_uuid(&image, fs).unwrap(), uuid);
            // Beside the original, and after it was looked at.
            let mounted = Mounted::filesystem(
                fs.as_str(),
                &orlop::sys::loopdev::attach(file.as_path(), crate::support::WRITABLE)
                    .unwrap()
                    .device
                    .path,
                &room.join(format!("at-{fs}.img")),
            );
            assert_eq!(content(&disk, &pool, &volume.id, fs).await, "from outside");
            drop(mounted);
            orlop::sys::loopdev::detach_image(file.as_path()).unwrap();
            let again = import(&pool, &wanted).await;
            assert!(matches!(again, Err(Error::Differs { .. })), "{again:?}");
            Backend::delete(&*pool, &volume.id).await.unwrap();
            pool.settled().await;
            std::fs::remove_dir(disk.outside().join(format!("at-{}", volume.id))).unwrap();
            assert_eq!(std::fs::metadata(&file).unwrap().len(), before.len() as u64);
            std::fs::remove_file(file).unwrap();
        }
        nothing_is_left(&disk);
    });
}

#[test]
fn the_original_is_not_written_to() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let file = written(&rooms(&disk)[0], "xfs.img", FsType::Xfs);
        let before = std::fs::read(&file).unwrap();
        import(&pool, &wish("imported", &file)).await.unwrap();
        assert!(before == std::fs::read(&file).unwrap());
    });
}

#[test]
fn a_moved_image_keeps_its_uuid_and_is_gone() {
    let disk = Disk::new();
    disk.run(async |pool| {
        for (room, fs) in rooms(&disk).iter().zip([FsType::Xfs, FsType::Ext4]) {
            let file = written(room, &format!("{fs}.img"), fs);
            let uuid = read_uuid(&file, fs).unwrap();
            let wanted = Import { moved: true, ..wish(&format!("moved {fs}"), &file) };
            let Imported { volume, left } = import(&pool, &wanted).await.unwrap();
            assert_eq!((left, file.exists()), (None, false));
            assert_eq!(read_uuid(&data(&disk, &volume.id), fs).unwrap(), uuid);
            assert_eq!(content(&disk, &pool, &volume.id, fs).await, "from outside");
        }
    });
}

/// A moved XFS keeps its UUID: a second one of it could not be mounted beside the first.
#[test]
fn a_moved_image_is_the_only_one_of_its_uuid() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let file = written(disk.outside(), "xfs.img", FsType::Xfs);
        let twin = disk.outside().join("twin.img");
        std::fs::copy(&file, &twin).unwrap();
        let at = new_dir(disk.outside(), "twin");
        let device = orlop::sys::loopdev::attach(twin.as_path(), crate::support::WRITABLE).unwrap();
        let mounted = Mounted::filesystem("xfs", &device.device.path, &at);
        let moved = Import { moved: true, ..wish("moved", &file) };
        let said = unfit(import(&pool, &moved).await);
        assert!(said.contains("no other file system with its UUID") && file.exists(), "{said}");
        nothing_is_left(&disk);
        drop((mounted, device));
        orlop::sys::loopdev::detach_image(twin.as_path()).unwrap();
        import(&pool, &moved).await.unwrap();
    });
}

#[test]
fn what_is_no_file_system_of_ours_is_raw_blocks() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let file = |name: &str, length: u64, bytes: &[(u64, &[u8])]| {
            let path = disk.outside().join(name);
            let file = File::create(&path).unwrap();
            file.set_len(length).unwrap();
            for (at, bytes) in bytes {
                file.write_all_at(bytes, *at).unwrap();
            }
            path
        };
        let boot: (u64, &[u8]) = (510, &[0x55, 0xAA]);
        for (name, path, size, block_size) in [
            ("odd", file("odd", 10_001, &[(10_000, b"x")]), 12_288, BlockSize::B4096),
            ("short", file("short", 3, &[(0, b"abc")]), 4096, BlockSize::B4096),
            ("mbr", file("mbr", 1 << 20, &[boot]), 1 << 20, BlockSize::B512),
            (
                "gpt of 512",
                file("gpt1", 1 << 20, &[boot, (512, b"EFI PART")]),
                1 << 20,
                BlockSize::B512,
            ),
            (
                "gpt of 4096",
                file("gpt2", 1 << 20, &[boot, (4096, b"EFI PART")]),
                1 << 20,
                BlockSize::B4096,
            ),
        ] {
            let volume = import(&pool, &wish(name, &path)).await.unwrap().volume;
            assert_eq!((volume.content, volume.size), (Content::Block, Bytes(size)), "{name}");
            assert_eq!(volume.block_size, block_size, "{name}");
            let mut expected = std::fs::read(&path).unwrap();
            expected.resize(usize::try_from(size).unwrap(), 0);
            assert!(std::fs::read(data(&disk, &volume.id)).unwrap() == expected, "{name}");
        }
        let xfs = written(disk.outside(), "xfs.img", FsType::Xfs);
        let raw = Import { raw: true, ..wish("raw", &xfs) };
        assert_eq!(import(&pool, &raw).await.unwrap().volume.content, Content::Block);
    });
}

/// > A file that cannot be a volume is refused, and nothing is left.
#[test]
fn a_file_that_cannot_be_a_volume_is_refused_and_nothing_is_left() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let outside = disk.outside();
        let mkfs = |program, name: &str, options: &[&str]| {
            let image = Image::create(outside, name, 320 * MIB);
            let args = options.iter().map(Path::new).chain([image.path()]);
            tokio::task::block_in_place(|| run(program, args));
            image.path().to_owned()
        };
        let small_sectors = mkfs(Program::MkfsXfs, "s512.img", &["-q", "-s", "size=512"]);
        let small_blocks = mkfs(Program::MkfsExt4, "b1024.img", &["-q", "-b", "1024"]);
        let cut_off = written(outside, "cut.img", FsType::Ext4);
        OpenOptions::new().write(true).open(&cut_off).unwrap().set_len(100 * MIB).unwrap();
        let attached = written(outside, "attached.img", FsType::Ext4);
        let image = Image::create(outside, "unused.img", MIB);
        let device =
            orlop::sys::loopdev::attach(attached.as_path(), crate::support::WRITABLE).unwrap();
        let opened = written(outside, "opened.img", FsType::Ext4);
        let writer = OpenOptions::new().append(true).open(&opened).unwrap();
        let empty = Image::create(outside, "empty.img", 0);
        for (file, moved, naming) in [
            (&small_sectors, false, "4096"),
            (&small_sectors, true, "4096"),
            (&small_blocks, false, "4096"),
            (&cut_off, false, "cut off"),
            (&attached, false, "in use: "),
            (&attached, true, "in use: "),
            (&opened, true, "open for writing"),
            (&empty.path().to_owned(), false, "no file with anything in it"),
            (&outside.to_owned(), false, "no file with anything in it"),
            (&outside.join("missing"), false, "there is no file"),
            (&PathBuf::from("/dev/zero"), false, "no file with anything in it"),
            (&disk.pool().join("pool.json"), true, "lies in the pool"),
        ] {
            let existed = file.exists();
            let said = unfit(import(&pool, &Import { moved, ..wish("refused", file) }).await);
            assert!(said.contains(naming), "{}: {said}", file.display());
            assert_eq!(file.exists(), existed, "{}", file.display());
            nothing_is_left(&disk);
        }
        drop((writer, device, image));
        orlop::sys::loopdev::detach_image(attached.as_path()).unwrap();
        import(&pool, &wish("attached", &attached)).await.unwrap();
    });
}

async fn export(
    pool: &ImagePool,
    source: &Source,
    to: &Path,
    force: bool,
) -> orlop::error::Result<()> {
    pool.transfer().unwrap().export(source, to, force).await
}

/// > An export is the image, and never replaces a file unasked.
#[test]
fn an_export_is_the_image_and_never_replaces_a_file_unasked() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let volume = block("volume");
        pool.create(&volume).await.unwrap();
        let image = data(&disk, &volume.id);
        let writing = OpenOptions::new().write(true).open(&image).unwrap();
        writing.write_all_at(&[7; 8192], 1 << 20).unwrap();
        drop(writing);
        let source = Source::Volume(volume.id.clone());
        let name = Name::parse("cut").unwrap();
        let cut = NewSnapshot { id: SnapshotId::of(&name), name, source: volume.id.clone() };
        pool.snapshots().unwrap().cut(&cut).await.unwrap();
        let of_cut = Source::Snapshot(cut.id.clone());
        let bytes = std::fs::read(&image).unwrap();
        for room in rooms(&disk) {
            for (number, source) in [&source, &of_cut].into_iter().enumerate() {
                let to = room.join(format!("exported-{number}"));
                export(&pool, source, &to, false).await.unwrap();
                assert!(std::fs::read(&to).unwrap() == bytes);
                assert_eq!(shares(&to), room != disk.outside());
                std::fs::write(&to, "somebody's").unwrap();
                let said = unfit(export(&pool, source, &to, false).await);
                assert!(said.contains("--force"), "{said}");
                assert_eq!(std::fs::read(&to).unwrap(), b"somebody's");
                export(&pool, source, &to, true).await.unwrap();
                assert!(std::fs::read(&to).unwrap() == bytes);
            }
            let names = std::fs::read_dir(&room).unwrap().flatten().map(|entry| entry.file_name());
            let partial = names.into_iter().find(|name| name.to_string_lossy().contains("partial"));
            assert_eq!(partial, None);
        }
        for to in [disk.pool().join("here"), disk.pool().join("volumes").join("there")] {
            let said = unfit(export(&pool, &source, &to, true).await);
            assert!(said.contains("in the pool"), "{said}");
        }
        let device = Path::new("/dev/null").to_owned();
        assert!(unfit(export(&pool, &source, &device, true).await).contains("no regular file"));
        // As a pod has it: a device that somebody has open.
        let attached = pool.attach(&volume.id).await.unwrap();
        let device = File::open(&attached.device.path).unwrap();
        drop(attached);
        let to = disk.outside().join("used");
        let used = export(&pool, &source, &to, false).await;
        assert!(matches!(used, Err(Error::InUse { .. })), "{used:?}");
        assert!(!to.exists());
        export(&pool, &of_cut, &to, false).await.unwrap();
        drop(device);
        pool.detach(&volume.id).await.unwrap();
    });
}

/// What was exported can be imported again: a rescue and its return.
#[test]
fn an_export_of_a_copy_is_a_file_system_of_its_own() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let file = written(disk.outside(), "xfs.img", FsType::Xfs);
        let origin = import(&pool, &wish("origin", &file)).await.unwrap().volume;
        let copy = crate::image_support::copy_of(
            "copy",
            Source::Volume(origin.id.clone()),
            origin.content,
            origin.size,
        );
        pool.create(&copy).await.unwrap();
        let to = disk.outside().join("copy.img");
        export(&pool, &Source::Volume(copy.id.clone()), &to, false).await.unwrap();
        let uuid = |path: &Path| read_uuid(path, FsType::Xfs).unwrap();
        assert_ne!(uuid(&to), uuid(&data(&disk, &origin.id)));
        Backend::delete(&*pool, &copy.id).await.unwrap();
        let moved = Import { moved: true, ..wish("copy", &to) };
        let back = import(&pool, &moved).await.unwrap().volume;
        assert_eq!(back.id, copy.id);
        assert_eq!(content(&disk, &pool, &back.id, FsType::Xfs).await, "from outside");
    });
}
