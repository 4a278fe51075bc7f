//! Where pools live: found, made, mounted, found again; and refused where somebody else's data could be.

use std::fs::File;
use std::path::{Path, PathBuf};

use orlop::backend::image::{ImagePool, Percent, Place, Provisioning, Ratio, Settings};
use orlop::backend::{Backend, Local};
use orlop::sys::loopdev::{self, Backing};
use orlop::sys::mountinfo::MountTable;
use orlop::volume::Bytes;

use crate::image_support::{Disk, Own, block, xfs};
use crate::support::Image;

fn mounts_at(path: &Path) -> usize {
    MountTable::read().unwrap().stacked_at(path).len()
}

fn device(disk: &Disk, size: Bytes) -> (Image, PathBuf) {
    let image = Image::create(disk.outside(), "device.img", size.0);
    let device = image.attach().device.path;
    (image, device)
}

#[test]
fn a_file_is_made_whole_and_found_again() {
    let disk = Disk::new();
    let path = disk.outside().join("deep/pool.img");
    let place = Place::File { path: path.clone(), size: Bytes::gib(1) };
    let own = Own::new(&disk, place, Provisioning::Thick);
    let wanted = block("kept");
    for round in 0..3 {
        disk.run_with(own.settings.clone(), async |pool| {
            assert_eq!(pool.create(&wanted).await.unwrap().is_made(), round == 0);
            let free = pool.capacity(wanted.content).await.unwrap().available;
            assert!(free > Bytes::mib(600) && free < Bytes::gib(1), "{free}");
        });
        assert_eq!(mounts_at(&own.root()), 1);
        assert_eq!(loopdev::find(&Backing::of(&path).unwrap()).unwrap().len(), 1);
        if round == 1 {
            // As after a reboot.
            own.unmount();
        }
    }
    let blocks = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(&path).unwrap());
    assert!(blocks * 512 >= 1 << 30, "{blocks}");
}

/// > A pool grows with its file, and never shrinks.
#[test]
fn a_pool_grows_with_its_file_and_never_shrinks() {
    let disk = Disk::new();
    let path = disk.outside().join("pool.img");
    let sized = |size| Place::File { path: path.clone(), size };
    let mut own = Own::new(&disk, sized(Bytes::gib(1)), Provisioning::Thick);
    let wanted = block("kept");
    let mut before = Bytes::ZERO;
    // Made, grown while it is mounted, and grown where it is not.
    for (size, is_mounted) in [(1024, false), (1536, true), (2048, false)] {
        if !is_mounted {
            own.unmount();
        }
        own.settings.place = sized(Bytes::mib(size));
        disk.run_with(own.settings.clone(), async |pool| {
            pool.create(&wanted).await.unwrap();
            let available = pool.capacity(wanted.content).await.unwrap().available;
            assert!(available > before.plus(Bytes::mib(400)), "{size}: {available}");
            before = available;
        });
        let file = std::fs::metadata(&path).unwrap();
        assert_eq!(file.len(), size << 20);
        assert!(std::os::unix::fs::MetadataExt::blocks(&file) * 512 >= size << 20);
    }
    own.settings.place = sized(Bytes::gib(1));
    let said = disk.refused(own.settings.clone());
    assert!(said.contains("has 2 GiB, and the config gives it 1 GiB: a pool can grow"), "{said}");
    own.settings.place = sized(Bytes::gib(1 << 20));
    let said = disk.refused(own.settings.clone());
    assert!(said.contains("has no room"), "{said}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 2 << 30);
    own.settings.place = sized(Bytes::gib(2));
    disk.run_with(own.settings.clone(), async |pool| {
        assert_eq!(pool.capacity(wanted.content).await.unwrap().available, before);
    });
}

#[test]
fn a_pool_grows_with_its_device() {
    let disk = Disk::new();
    let (image, device) = device(&disk, Bytes::gib(1));
    let own = Own::new(&disk, Place::Device(device.clone()), Provisioning::Thick);
    let available = || {
        disk.run_with(own.settings.clone(), async |pool| {
            pool.capacity(block("x").content).await.unwrap().available
        })
    };
    let before = available();
    File::options().write(true).open(image.path()).unwrap().set_len(2 << 30).unwrap();
    loopdev::set_capacity(&loopdev::LoopDevice::at(&device).unwrap().unwrap()).unwrap();
    assert!(available() > before.plus(Bytes::mib(900)));
    drop(own);
    drop(image);
}

/// > A pattern for a pool's device means the only disk that it fits, or the one that the pool was on before; if that is away, no other.
#[test]
fn a_pattern_means_one_device_and_goes_on_meaning_it() {
    let disk = Disk::new();
    let names = disk.outside().join("by-id");
    std::fs::create_dir(&names).unwrap();
    let known_as = |name: &str, device: &Path| {
        std::os::unix::fs::symlink(device, names.join(name)).unwrap();
    };
    let pattern = Place::Device(names.join("nvme-example_*"));
    let own = Own::new(&disk, pattern.clone(), Provisioning::Thick);
    let said = disk.refused(own.settings.clone());
    assert!(said.contains("there is no block device"), "{said}");

    let (second, second_device) = device(&disk, Bytes::gib(1));
    known_as("nvme-example_2", &second_device);
    // Another name of the same, and a neighbour.
    known_as("nvme-example_2_1", &second_device);
    known_as("nvme-other_1", Path::new("/dev/null"));
    let wanted = block("kept");
    let open = |is_made: bool| {
        disk.run_with(own.settings.clone(), async |pool| {
            assert_eq!(pool.create(&wanted).await.unwrap().is_made(), is_made);
        });
    };
    open(true);

    // One that sorts before it has come: while the pool is mounted, and after a reboot.
    let first = Image::create(disk.outside(), "first.img", 1 << 30);
    let first_device = first.attach().device.path;
    known_as("nvme-example_1", &first_device);
    open(false);
    own.unmount();
    open(false);

    // A pool that was not here before cannot tell which of the two is meant.
    let mut stranger = Own::new(&disk, pattern, Provisioning::Thick);
    stranger.settings.name = "stranger".into();
    let said = disk.refused(stranger.settings.clone());
    assert!(said.contains("nvme-example_1 and "), "{said}");
    assert!(said.contains("nvme-example_2 for pool stranger: write a path"), "{said}");

    // What is away is waited for, and nothing else is taken in its place.
    own.unmount();
    std::fs::remove_file(names.join("nvme-example_2")).unwrap();
    std::fs::remove_file(names.join("nvme-example_2_1")).unwrap();
    let said = disk.refused(own.settings.clone());
    assert!(said.contains("was in"), "{said}");
    drop((own, stranger, first, second));
}

#[test]
fn a_file_that_does_not_fit_leaves_nothing_behind() {
    let disk = Disk::new();
    let path = disk.outside().join("disk/pool.img");
    let place = Place::File { path: path.clone(), size: Bytes::gib(64) };
    let own = Own::new(&disk, place, Provisioning::Thick);
    let said = disk.refused(own.settings.clone());
    assert!(said.contains("has no room: 64 GiB asked"), "{said}");
    assert!(!path.exists() && !disk.outside().join("disk/pool.img.new").exists());
}

/// > A file that Orlop did not make is refused and untouched.
#[test]
fn a_file_of_somebody_else_is_refused() {
    let disk = Disk::new();
    let path = disk.outside().join("data");
    for content in [&b"precious"[..], &[0; 4096]] {
        std::fs::write(&path, content).unwrap();
        let place = Place::File { path: path.clone(), size: Bytes::gib(1) };
        let own = Own::new(&disk, place, Provisioning::Thick);
        assert!(disk.refused(own.settings.clone()).contains("is not a pool that Orlop made"));
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
    let foreign = Image::formatted(disk.outside(), "foreign.img", 512 << 20, "xfs");
    let place = Place::File { path: foreign.path().to_owned(), size: Bytes::mib(512) };
    let own = Own::new(&disk, place, Provisioning::Thick);
    assert!(disk.refused(own.settings.clone()).contains("is not a pool that Orlop made"));
}

#[test]
fn a_blank_device_becomes_a_pool_once() {
    let disk = Disk::new();
    let (_image, device) = device(&disk, Bytes::gib(1));
    let place = Place::Device(device.clone());
    let own = Own::new(&disk, place, Provisioning::Thick);
    let wanted = block("kept");
    for round in 0..3 {
        disk.run_with(own.settings.clone(), async |pool| {
            assert_eq!(pool.create(&wanted).await.unwrap().is_made(), round == 0);
        });
        assert_eq!(mounts_at(&own.root()), 1);
        if round == 1 {
            own.unmount();
        }
    }
}

/// > A device that holds anything is refused and untouched.
#[test]
fn a_device_with_any_signature_is_refused_and_untouched() {
    let disk = Disk::new();
    let fill = |path: &Path, at: usize, bytes: &[u8]| {
        use std::os::unix::fs::FileExt;
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(bytes, at as u64).unwrap();
    };
    // One Linux partition: blkid takes an empty table for something else.
    let table = [&[0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 8, 0][..], &[0; 48], &[0x55, 0xAA]];
    for name in ["ext4", "btrfs", "xfs", "swap", "dos partition table"] {
        let file_name = format!("{}.img", name.split(' ').next().unwrap());
        let image = match name {
            "ext4" | "btrfs" | "xfs" => Image::formatted(disk.outside(), &file_name, 1 << 30, name),
            _ => Image::create(disk.outside(), &file_name, 1 << 30),
        };
        match name {
            "swap" => {
                fill(image.path(), 1024, &[1, 0, 0, 0, 0xFF]);
                fill(image.path(), 4086, b"SWAPSPACE2");
            }
            "dos partition table" => fill(image.path(), 446, &table.concat()),
            _ => {}
        }
        let begin = || {
            use std::io::Read;
            let mut bytes = Vec::new();
            File::open(image.path()).unwrap().take(4 << 20).read_to_end(&mut bytes).unwrap();
            bytes
        };
        let before = begin();
        let place = Place::Device(image.attach().device.path);
        let own = Own::new(&disk, place, Provisioning::Thick);
        let said = disk.refused(own.settings.clone());
        let expected = format!("holds {name} and is not a pool that Orlop made");
        assert!(said.contains(&expected), "{said}");
        assert!(begin() == before, "{name}");
    }
}

#[test]
fn a_device_whose_formatting_was_cut_off_is_formatted_again() {
    use std::os::unix::fs::FileExt;
    let disk = Disk::new();
    let (image, device) = device(&disk, Bytes::gib(1));
    let own = Own::new(&disk, Place::Device(device.clone()), Provisioning::Thick);
    disk.run_with(own.settings.clone(), async |_| {});
    own.unmount();
    // It was no pool yet, so that nobody remembers it. And what mkfs.xfs takes back last:
    std::fs::remove_file(own.settings.mount_dir.join("own.known")).unwrap();
    let file = File::options().write(true).open(&device).unwrap();
    file.write_all_at(&[1], 126).unwrap();
    file.sync_all().unwrap();
    drop(file);
    disk.run_with(own.settings.clone(), async |pool| {
        assert!(pool.create(&block("first")).await.unwrap().is_made());
    });
    drop(own);
    drop(image);
}

#[test]
fn what_is_no_device_is_refused() {
    let disk = Disk::new();
    let own = Own::new(&disk, Place::Device(disk.outside().join("disk.img")), Provisioning::Thick);
    assert!(disk.refused(own.settings.clone()).contains("is not a block device"));
}

#[test]
fn without_a_place_there_is_a_pool_to_try() {
    let disk = Disk::new();
    let thin = Provisioning::Thin(Ratio::whole(10));
    // On a file system that can share bytes: a directory.
    let base = disk.outside().join("disk/base");
    let directory = Own::new(&disk, Place::DefaultAt(base.clone()), thin);
    disk.run_with(directory.settings.clone(), async |pool| drop(pool.create(&xfs("x")).await));
    assert!(base.join("own/volumes").is_dir());
    assert_eq!(mounts_at(&directory.root()), 0);
    // Elsewhere: a file without its blocks, and space that is bounded by both.
    let base = disk.outside().join("base");
    let sparse = Own::new(&disk, Place::DefaultAt(base.clone()), thin);
    for _ in 0..2 {
        disk.run_with(sparse.settings.clone(), async |pool| {
            let wanted = xfs("x");
            pool.create(&wanted).await.unwrap();
            let capacity = pool.capacity(wanted.content).await.unwrap();
            assert!(capacity.largest > Bytes::gib(1) && capacity.available > capacity.largest);
        });
    }
    let file = std::fs::metadata(base.join("own.img")).unwrap();
    assert!(std::os::unix::fs::MetadataExt::blocks(&file) * 512 < file.len() / 4);
    assert_eq!(mounts_at(&sparse.root()), 1);
    // A driver that is to find more free space than the outside has, gives nothing.
    let greedy = Settings { low_water: Percent(100), ..sparse.settings.clone() };
    disk.run_with(greedy, async |pool| {
        assert_eq!(pool.capacity(xfs("y").content).await.unwrap().available, Bytes::ZERO);
        assert!(pool.create(&xfs("y")).await.is_err());
    });
}

#[test]
fn a_mount_that_nobody_would_find_again_is_an_error_where_that_is_asked_for() {
    let disk = Disk::new();
    let place = Place::File { path: disk.outside().join("p.img"), size: Bytes::gib(1) };
    let mut own = Own::new(&disk, place, Provisioning::Thick);
    own.settings.require_shared_mounts = true;
    assert!(disk.refused(own.settings.clone()).contains("shared propagation"));
    assert!(!disk.outside().join("p.img").exists());
    let shared = rustix::mount::MountPropagationFlags::SHARED;
    rustix::mount::mount_change("/", shared).unwrap();
    disk.run_with(own.settings.clone(), async |_| {});
}

/// In the machine's own namespace the driver would make its directory such a mount itself.
#[test]
fn a_directory_is_made_a_shared_mount_of_its_own() {
    let disk = Disk::new();
    let dir = crate::support::new_dir(disk.outside(), "own");
    assert!(!orlop::sys::namespace::has_the_machines_mounts());
    orlop::sys::mount::bind_shared(&dir).unwrap();
    assert_eq!(mounts_at(&dir), 1);
    assert!(crate::support::mount_at(&dir).shared.is_some());
    orlop::sys::mount::unmount(&dir).unwrap();
}

#[test]
fn a_promise_that_the_place_cannot_keep_is_refused() {
    let disk = Disk::with(1 << 30, "btrfs");
    let said = disk.refused(disk.thick());
    assert!(said.contains("btrfs, where a pool can be thin only"), "{said}");
    disk.run(async |pool| drop(pool.create(&block("thin")).await.unwrap()));
    let place = Place::Directory { path: disk.pool(), shared_accepted: false };
    let said = disk.refused(Settings { place, ..disk.thick() });
    assert!(said.contains("`shared: accepted`"), "{said}");
}

#[test]
fn a_pool_that_lost_its_mount_namespace_is_mounted_again_from_the_same_device() {
    let disk = Disk::new();
    let path = disk.outside().join("pool.img");
    let place = Place::File { path: path.clone(), size: Bytes::gib(1) };
    let own = Own::new(&disk, place, Provisioning::Thick);
    let wanted = block("alive");
    let device = disk.run_with(own.settings.clone(), async |pool| {
        pool.create(&wanted).await.unwrap();
        pool.attach(&wanted.id).await.unwrap().device
    });
    // The volume's device keeps the pool's file system alive without any mount.
    rustix::mount::unmount(own.root(), rustix::mount::UnmountFlags::DETACH).unwrap();
    disk.run_with(own.settings.clone(), async |pool: std::sync::Arc<ImagePool>| {
        assert_eq!(pool.attached(&wanted.id).await.unwrap(), Some(device));
        pool.detach(&wanted.id).await.unwrap();
    });
    assert_eq!(loopdev::find(&Backing::of(&path).unwrap()).unwrap().len(), 1);
}

/// Whoever loses its power meanwhile has the old text or the new one.
#[test]
fn what_remembers_a_place_is_replaced_as_a_whole() {
    let disk = Disk::new();
    disk.run(async |_| {});
    let known = disk.outside().join("mounts/test.known");
    let (before, text) = (known.with_file_name("before"), std::fs::read(&known).unwrap());
    std::fs::hard_link(&known, &before).unwrap();
    let elsewhere = disk.outside().join("disk/elsewhere");
    let place = Place::Directory { path: elsewhere.clone(), shared_accepted: true };
    disk.run_with(Settings { place, ..disk.thin() }, async |_| {});
    let now = std::fs::read_to_string(&known).unwrap();
    assert_eq!(now.trim_end(), elsewhere.to_str().unwrap());
    assert_eq!(std::fs::read(&before).unwrap(), text);
}
