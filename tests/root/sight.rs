//! Where a device is and what is at a path, asked of the kernel mount by mount: always as the mount table has it.

use std::path::{Path, PathBuf};

use orlop::backend::Device;
use orlop::host::kernel::Kernel;
use orlop::host::{Host, Sight};
use orlop::sys::mount::{MountOptions, bind, unmount};
use orlop::sys::mountinfo::{Mount, MountTable};
use orlop::sys::release::{self, Release};
use orlop::sys::statmount;
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change, mount_move};

use crate::hung::Mute;
use crate::support::{Image, MIB, Mounted, block_on, in_mount_namespace, new_dir};

/// A node, and a device that is looked for again and again by one that remembers.
struct Eyes {
    kernel: Kernel,
    device: Device,
    dir: PathBuf,
}

// === impl Eyes ===

impl Eyes {
    /// Looks, and returns where the device is. What is at the paths is what the table says is topmost there.
    fn see(&self, paths: &[&str]) -> Vec<PathBuf> {
        let paths: Vec<PathBuf> = paths.iter().map(|name| self.at(name)).collect();
        let asked: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        for device in [Some(&self.device), None] {
            let sight = block_on(self.kernel.sight(device, &asked)).unwrap();
            self.is_as_in_the_table(device, &sight, &asked);
            // One that knows nothing yet sees the same.
            assert_eq!(block_on(Kernel::default().sight(device, &asked)).unwrap(), sight);
        }
        let sight = block_on(self.kernel.sight(Some(&self.device), &asked)).unwrap();
        let mut places: Vec<_> = sight.of_device.into_iter().map(|place| place.at).collect();
        places.sort();
        places
    }

    /// Looks without the mount table, and says whether that was enough. An older kernel does not tell enough.
    fn sees_without_table(&self, paths: &[&str]) -> bool {
        let paths: Vec<PathBuf> = paths.iter().map(|name| self.at(name)).collect();
        let seen = self.kernel.glance(Some(&self.device), &paths).unwrap();
        let asked: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        seen.inspect(|seen| self.is_as_in_the_table(Some(&self.device), seen, &asked)).is_some()
    }

    fn is_as_in_the_table(&self, device: Option<&Device>, sight: &Sight, paths: &[&Path]) {
        let table = MountTable::read().unwrap();
        let mut rows: Vec<&Mount> =
            table.iter().filter(|row| device.is_some() && self.is_of(row)).collect();
        let mut places: Vec<_> = sight.of_device.iter().collect();
        rows.sort_by_key(|row| &row.at);
        places.sort_by_key(|place| &place.at);
        let topmost = paths.iter().filter_map(|path| table.at(path));
        let expected: Vec<&Mount> = rows.into_iter().chain(topmost).collect();
        let seen: Vec<_> = places.into_iter().chain(&sight.topmost).collect();
        assert_eq!(seen.len(), expected.len(), "{seen:?}\n{expected:?}");
        for (place, row) in seen.into_iter().zip(expected) {
            assert_eq!(place.at, row.at);
            assert_eq!(place.device == Some(self.device.number), self.is_of(row), "{place:?}");
            assert_eq!(place.flags, row.options.iter().collect::<Vec<_>>());
            assert_eq!(place.read_only, row.options.has("ro"));
        }
    }

    fn is_of(&self, row: &Mount) -> bool {
        let is_node = row.root.file_name() == self.device.path.file_name();
        row.device == self.device.number || is_node || Path::new(&row.source) == self.device.path
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn dirs<const N: usize>(&self, names: [&str; N]) -> [PathBuf; N] {
        names.map(|name| new_dir(&self.dir, name))
    }
}

/// Shows the device to the test, which has a namespace and loop devices of its own.
fn with_eyes(fs: &str, test: impl FnOnce(&Eyes)) {
    in_mount_namespace();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::formatted(dir.path(), "a.img", 320 * MIB, fs);
    let attached = image.attach();
    let device = Device { path: attached.device.path.clone(), number: attached.device.number };
    let dir = dir.path().to_owned();
    test(&Eyes { kernel: Kernel::default(), device, dir });
}

/// Whether this kernel says all of a mount that the table does.
fn tells_all() -> bool {
    Release::parse(&release::name()) >= Some(Release(6, 13))
}

fn writable() -> MountOptions {
    MountOptions::default()
}

#[test]
fn a_device_is_seen_wherever_it_is_and_whatever_covers_it() {
    for fs in ["xfs", "btrfs"] {
        with_eyes(fs, |eyes| {
            let [stage, pod, moved] = eyes.dirs(["stage", "pod", "moved"]);
            let all = ["stage", "pod", "moved", "missing", "missing/deeper"];
            assert!(eyes.see(&all).is_empty());

            let staged = Mounted::filesystem(fs, &eyes.device.path, &stage);
            assert_eq!(eyes.see(&all), [&*stage]);
            assert_eq!(eyes.sees_without_table(&all), tells_all());
            let flags = vec!["noexec".to_owned(), "noatime".to_owned()];
            bind(&stage, &pod, &MountOptions { read_only: true, flags }).unwrap();
            assert_eq!(eyes.see(&all), [&*pod, &*stage]);
            assert_eq!(eyes.sees_without_table(&all), tells_all());

            let stranger = Mounted::tmpfs(&pod);
            assert_eq!(eyes.see(&all), [&*pod, &*stage], "covered by another");
            assert!(!eyes.sees_without_table(&all));
            assert_eq!(eyes.sees_without_table(&["stage", "moved"]), tells_all());
            // It takes away all that is there.
            drop(stranger);
            bind(&stage, &pod, &writable()).unwrap();
            bind(&stage, &pod, &writable()).unwrap();
            assert_eq!(eyes.see(&all), [&*pod, &*pod, &*stage], "covered by itself");
            assert!(unmount(&pod).unwrap());

            let nested = Mounted::tmpfs(&new_dir(&stage, "nested"));
            assert_eq!(eyes.see(&all), [&*pod, &*stage], "something is mounted in it");
            drop(nested);

            mount_move(&pod, &moved).unwrap();
            assert_eq!(eyes.see(&all), [&*moved, &*stage]);
            assert_eq!(eyes.sees_without_table(&all), tells_all());
            assert!(unmount(&moved).unwrap());
            drop(staged);
            assert!(eyes.see(&all).is_empty());
        });
    }
}

/// What lies hidden below another directory of its parent's name is not what is at the path.
#[test]
fn a_hidden_mount_is_not_taken_for_the_one_that_is_seen() {
    with_eyes("xfs", |eyes| {
        let [parent, stage] = eyes.dirs(["parent", "stage"]);
        let _staged = Mounted::filesystem("xfs", &eyes.device.path, &stage);
        let pod = new_dir(&parent, "pod");
        bind(&stage, &pod, &writable()).unwrap();
        let _over = Mounted::tmpfs(&parent);
        assert_eq!(eyes.see(&["stage", "parent"]), [&*pod, &*stage]);
        let _stranger = Mounted::tmpfs(&new_dir(&parent, "pod"));
        assert_eq!(eyes.see(&["stage", "parent/pod"]), [&*pod, &*stage]);
        let sight = block_on(eyes.kernel.sight(Some(&eyes.device), &[&pod])).unwrap();
        assert_eq!(sight.at(&pod).unwrap().device, None);
        // And ours, read-only, above ours.
        bind(&stage, &pod, &MountOptions::read_only()).unwrap();
        let sight = block_on(eyes.kernel.sight(Some(&eyes.device), &[&pod])).unwrap();
        assert!(sight.at(&pod).unwrap().read_only);
    });
}

#[test]
fn a_node_that_is_bound_is_a_place_of_its_device() {
    with_eyes("ext4", |eyes| {
        let node = eyes.at("node");
        std::fs::write(&node, "").unwrap();
        bind(&eyes.device.path, &node, &writable()).unwrap();
        assert_eq!(eyes.see(&["node"]), [&*node]);
        let sight = block_on(eyes.kernel.sight(Some(&eyes.device), &[&node])).unwrap();
        assert!(sight.at(&node).unwrap().is_node);
        assert_eq!(eyes.sees_without_table(&["node"]), tells_all());
        assert!(unmount(&node).unwrap());
        assert!(eyes.see(&["node"]).is_empty());
    });
}

#[test]
fn what_hangs_is_seen_and_not_touched() {
    with_eyes("xfs", |eyes| {
        let [dead] = eyes.dirs(["dead"]);
        let mute = Mute::at(&dead, Path::new("elsewhere:/"));
        mute.gate.shut();
        let staged = Mounted::filesystem("xfs", &eyes.device.path, &eyes.dirs(["stage"])[0]);
        assert_eq!(eyes.see(&["dead", "stage"]), [staged.at()]);
        mute.gate.open();
    });
}

#[test]
fn a_mount_is_told_as_in_the_table_whatever_its_options() {
    with_eyes("xfs", |eyes| {
        let stage = new_dir(&eyes.dir, "with spaces, commas\tand \\ more");
        let _staged = Mounted::filesystem("xfs", &eyes.device.path, &stage);
        let options = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow"];
        for (number, chosen) in (0..1 << options.len()).map(|set| (set, chosen(&options, set))) {
            let pod = new_dir(&eyes.dir, &format!("pod {number}"));
            bind(&stage, &pod, &MountOptions { read_only: false, flags: chosen }).unwrap();
        }
        for flag in ["strictatime", "relatime"] {
            let pod = new_dir(&eyes.dir, flag);
            bind(&stage, &pod, &MountOptions { read_only: false, flags: vec![flag.to_owned()] })
                .unwrap();
        }
        let slave = new_dir(&eyes.dir, "slave");
        mount_change(&stage, MountPropagationFlags::SHARED).unwrap();
        mount_bind(&stage, &slave).unwrap();
        mount_change(&slave, MountPropagationFlags::DOWNSTREAM).unwrap();
        let table = MountTable::read().unwrap();
        assert!(table.at(&slave).unwrap().master.is_some());
        let Some(listed) = statmount::list().unwrap() else { return };
        let told: Vec<Mount> =
            listed.iter().map(|id| statmount::mount(*id).unwrap().unwrap()).collect();
        let rows = table.iter().filter(|row| row.device == eyes.device.number);
        for row in rows {
            let told = told.iter().find(|mount| mount.id == row.id).unwrap();
            let without_source = told.source.is_empty();
            assert!(without_source || told == row, "{told:?}\n{row:?}");
        }
    });
}

fn chosen(all: &[&str], set: usize) -> Vec<String> {
    let is_chosen = |(number, _): &(usize, &&str)| set >> number & 1 == 1;
    all.iter().enumerate().filter(is_chosen).map(|(_, &flag)| flag.to_owned()).collect()
}
