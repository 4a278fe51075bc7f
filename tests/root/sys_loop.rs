//! Loop devices: one for each image, whatever happens to paths and users.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orlop::sys::loopdev::{self, AttachOptions, Backing, LoopDevice, attach};
use orlop::sys::{DeviceNumber, block};
use rustix::fs::{CWD, FileType, Mode};

use crate::hung::Disk;
use crate::support::{Image, MIB, Mounted, TempPool, WRITABLE, in_mount_namespace, new_dir};

fn devices_of(image: &Path) -> Vec<LoopDevice> {
    loopdev::find(&Backing::of(image).unwrap()).unwrap()
}

fn only_device_of(image: &Path) -> LoopDevice {
    let devices = devices_of(image);
    assert_eq!(devices.len(), 1, "{devices:?}");
    devices.into_iter().next().unwrap()
}

#[test]
fn an_image_is_attached_once() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::create(dir.path(), "a.img", 16 * MIB);
    let first = image.attach();
    let second = attach(&File::open(image.path()).unwrap(), WRITABLE).unwrap();
    assert_eq!((first.reused, second.reused), (false, true));
    assert_eq!(first.device, second.device);
    assert_eq!(only_device_of(image.path()), first.device);
    assert_eq!(LoopDevice::at(&first.device.path).unwrap(), Some(first.device.clone()));
    assert_eq!(LoopDevice::numbered(first.device.number).unwrap(), Some(first.device.clone()));
}

#[test]
fn many_at_once_get_the_same_device() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let images = ["a.img", "b.img", "c.img"].map(|name| Image::create(dir.path(), name, 16 * MIB));
    std::thread::scope(|scope| {
        for image in images.iter().cycle().take(12) {
            scope.spawn(|| drop(image.attach()));
        }
    });
    for image in &images {
        only_device_of(image.path());
    }
}

#[test]
fn a_file_is_known_by_what_it_is_and_not_by_its_name() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let (a, b) =
        (Image::create(dir.path(), "a", 16 * MIB), Image::create(dir.path(), "b", 16 * MIB));
    let (of_a, of_b) = (a.attach().device, b.attach().device);
    let aside = dir.path().join("aside");
    for (from, to) in [(a.path(), &*aside), (b.path(), a.path()), (&*aside, b.path())] {
        std::fs::rename(from, to).unwrap();
    }
    assert_eq!(only_device_of(a.path()), of_b);
    assert_eq!(only_device_of(b.path()), of_a);
}

#[test]
fn settings_are_read_back() {
    in_mount_namespace();
    let pool = TempPool::new();
    let image = Image::create(&pool.path(), "a.img", 16 * MIB);
    for (options, direct_io) in [
        (WRITABLE, true),
        (AttachOptions { direct_io: false, ..WRITABLE }, false),
        (AttachOptions { read_only: true, ..WRITABLE }, true),
        // The pool's blocks are larger: the kernel turns direct I/O off without a word.
        (AttachOptions { block_size: 512, ..WRITABLE }, false),
    ] {
        let attached = attach(image.path(), options).unwrap();
        assert_eq!(attached.direct_io, direct_io, "{options:?}");
        assert_eq!(attached.read_only, options.read_only);
        let status = loopdev::status(&attached.device).unwrap().unwrap();
        assert_eq!(status.backing, Backing::of(image.path()).unwrap());
        assert_eq!((status.offset, status.size_limit, status.autoclear), (0, 0, false));
        assert_eq!(status.block_size, options.block_size);
        let block_size = block::logical_block_size(&attached.device.path).unwrap();
        assert_eq!(block_size, options.block_size);
        let device = attached.device.clone();
        drop(attached);
        assert!(loopdev::detach(&device).unwrap());
        assert_eq!(loopdev::status(&device).unwrap(), None);
    }
}

#[test]
fn a_device_that_does_not_serve_is_an_error() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::create(dir.path(), "a.img", 16 * MIB);
    let read_only = AttachOptions { read_only: true, ..WRITABLE };
    let attached = attach(image.path(), read_only).unwrap();
    let refused = attach(image.path(), WRITABLE).unwrap_err();
    assert!(refused.source.to_string().ends_with("which can only be read"), "{}", refused.source);
    let other_blocks = AttachOptions { block_size: 512, ..read_only };
    assert!(attach(image.path(), other_blocks).is_err());
    assert_eq!(only_device_of(image.path()), attached.device);

    let empty = Image::create(dir.path(), "b.img", 16 * MIB);
    let impossible = AttachOptions { block_size: 1000, ..WRITABLE };
    assert!(attach(empty.path(), impossible).is_err());
    assert_eq!(devices_of(empty.path()), []);
}

#[test]
fn a_mounted_device_is_detached_later_and_can_be_taken_back_before() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::formatted(dir.path(), "a.img", 64 * MIB, "ext4");
    let at = new_dir(dir.path(), "at");
    let device = image.attach().device;
    let mounted = Mounted::filesystem("ext4", &device.path, &at);
    let autoclear = || loopdev::status(&device).unwrap().map(|status| status.autoclear);
    assert_eq!(autoclear(), Some(false));
    assert!(!loopdev::detach(&device).unwrap());
    assert_eq!(autoclear(), Some(true));

    let again = image.attach();
    assert_eq!((again.reused, &again.device), (true, &device));
    assert_eq!(autoclear(), Some(false));
    drop(again);
    drop(mounted);
    assert_eq!(autoclear(), Some(false));

    let mounted = Mounted::filesystem("ext4", &device.path, &at);
    assert!(!loopdev::detach_image(image.path()).unwrap());
    drop(mounted);
    assert_eq!(autoclear(), None);
    assert!(loopdev::detach_image(image.path()).unwrap());
    assert!(loopdev::detach(&device).unwrap());
}

#[test]
fn a_device_that_goes_with_its_last_user_stays_while_it_is_held() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::create(dir.path(), "a.img", 16 * MIB);
    let passing = AttachOptions { autoclear: true, ..WRITABLE };
    let attached = attach(image.path(), passing).unwrap();
    assert_eq!(only_device_of(image.path()), attached.device);
    let again = attach(image.path(), passing).unwrap();
    drop(attached);
    assert!(again.reused);
    assert_eq!(only_device_of(image.path()), again.device);
    drop(again);
    assert_eq!(devices_of(image.path()), []);
}

#[test]
fn a_device_grows_with_its_file() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::create(dir.path(), "a.img", 16 * MIB);
    let device = image.attach().device;
    File::options().write(true).open(image.path()).unwrap().set_len(32 * MIB).unwrap();
    assert_eq!(block::size(&device.path).unwrap(), 16 * MIB);
    loopdev::set_capacity(&device).unwrap();
    assert_eq!(block::size(&device.path).unwrap(), 32 * MIB);
    block::sync(&device.path).unwrap();
}

#[test]
fn missing_nodes_are_made() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::create(dir.path(), "a.img", 16 * MIB);
    let other = Image::create(dir.path(), "b.img", 16 * MIB);
    let before = other.attach().device;
    // A container's /dev: nobody makes nodes in it.
    let dev = Mounted::tmpfs(Path::new("/dev"));
    let control = DeviceNumber { major: 10, minor: 237 };
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, "/dev/loop-control", FileType::CharacterDevice, mode, control.raw())
        .unwrap();
    assert_eq!(only_device_of(other.path()), before);
    let device = image.attach().device;
    assert_eq!(orlop::sys::device::of_node(&device.path).unwrap(), Some(device.number));

    // Somebody else's node under the name of ours.
    let wrong = DeviceNumber { minor: before.number.minor + 1, ..before.number };
    std::fs::remove_file(&before.path).unwrap();
    rustix::fs::mknodat(CWD, &before.path, FileType::BlockDevice, mode, wrong.raw()).unwrap();
    assert!(loopdev::status(&before).is_err());
    drop(dev);
    assert_eq!(before.path, PathBuf::from(format!("/dev/loop{}", before.number.minor)));
}

/// The kernel keeps it with the device's number: the next file would be attached to a device that refuses
/// every write.
#[test]
fn a_device_that_was_made_read_only_is_writable_for_its_next_file() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::create(dir.path(), "image", 16 * MIB);
    for _ in 0..2 {
        let attached = image.attach();
        std::fs::write(&attached.device.path, [1; 4096]).unwrap();
        orlop::sys::block::set_read_only(&attached.device.path, true).unwrap();
        let refused = std::fs::write(&attached.device.path, [1; 4096]).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(1), "{refused}");
        let device = attached.device.clone();
        drop(attached);
        assert!(loopdev::detach(&device).unwrap());
    }
}

#[test]
fn a_read_only_device_that_stays_in_use_stays_read_only() {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::create(dir.path(), "data.img", 16 * MIB);
    let attached = image.attach();
    let device = attached.device.clone();
    block::set_read_only(&device.path, true).unwrap();
    assert!(!loopdev::detach_image(image.path()).unwrap());
    let refuses_writes = || {
        let path = format!("/sys/dev/block/{}/ro", device.number);
        std::fs::read_to_string(path).unwrap().trim() == "1"
    };
    assert!(refuses_writes());
    // It is free with its last user, and whoever gets it next may write.
    drop(attached);
    let begin = Instant::now();
    while loopdev::has(&device, &Backing::of(image.path()).unwrap()).unwrap() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{device} is still in use");
        std::thread::sleep(Duration::from_millis(2));
    }
    loopdev::mend(&device).unwrap();
    assert!(!refuses_writes());
}

/// > A disk that hangs keeps only its own images from being attached.
///
/// Attaching writes the image to its disk, which must not be while the device is locked that is the next for everybody.
#[test]
fn a_disk_that_hangs_keeps_only_its_own_images_from_being_attached() {
    in_mount_namespace();
    let room = tempfile::tempdir().unwrap();
    let image = Image::formatted(room.path(), "pool.img", 1 << 30, "xfs");
    let disk = Disk::of(image.path(), &new_dir(room.path(), "fuse"));
    let device = Image::of(&disk.path());
    let mounted = device.mount("xfs", &new_dir(room.path(), "pool"));
    let inner = Image::create(mounted.at(), "a.img", 16 * MIB);
    std::fs::write(inner.path(), vec![7; 4 << 20]).unwrap();

    disk.gate.shut();
    let hung = std::thread::spawn({
        let file = inner.path().to_owned();
        move || attach(&file, WRITABLE).map(drop)
    });
    std::thread::sleep(Duration::from_millis(500));
    assert!(!hung.is_finished(), "nothing had to be written");
    let (told, answer) = std::sync::mpsc::channel();
    let other = Image::create(room.path(), "other.img", 16 * MIB);
    let attaching = std::thread::spawn({
        let other = other.path().to_owned();
        move || told.send(attach(&other, WRITABLE).map(drop))
    });
    let in_time = answer.recv_timeout(Duration::from_secs(10));
    disk.gate.open();
    hung.join().unwrap().unwrap();
    attaching.join().unwrap().unwrap();
    in_time.expect("the other waited for the disk that hangs").unwrap();
}
