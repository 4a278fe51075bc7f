//! emptyDirs whose limit btrfs keeps.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orlop::ephemeral::scratch::{Scratch, Settings, Squota};
use orlop::ephemeral::{Inline, Role};
use orlop::sys::beneath::Dir;
use orlop::sys::btrfs::{self, Group, Quotas};
use orlop::sys::mount;
use tonic::Code;

use super::rig::{Node, Volume, mounts_at, refused, rights};
use super::scratch::{fill, is_in_the_budget};
use crate::support::{Image, MIB, Mounted, block_on, mount_at, new_dir, take_away};

/// Longer than a subvolume that was removed takes to be gone, or the collection to begin.
const PATIENCE: Duration = Duration::from_mins(1);

/// A btrfs for emptyDirs.
pub(super) struct Ground {
    // In the order in which they must go.
    mounted: Mounted,
    image: Image,
}

// === impl Ground ===

impl Ground {
    fn new(node: &Node) -> Self {
        let image = Image::formatted(node.dir.path(), "btrfs.img", 512 * MIB, "btrfs");
        let mounted = image.mount("btrfs", &new_dir(node.dir.path(), "btrfs"));
        Self { mounted, image }
    }

    /// The directory of the role.
    pub(super) fn scratch(&self) -> PathBuf {
        self.mounted.at().join("scratch")
    }

    fn settings(&self, node: &Node) -> Settings {
        Settings { path: self.scratch(), squota: Squota::Allowed, ..node.scratch() }
    }

    fn start(&self, node: &Node) -> Inline {
        node.start_with(Arc::new(Scratch::new(self.settings(node)).unwrap()))
    }

    fn dir(&self) -> Dir {
        Dir::open(self.mounted.at()).unwrap()
    }

    /// Says whether the volume has a group.
    fn has_group(&self, volume: &Volume) -> bool {
        match btrfs::figures(self.dir(), group(volume)) {
            Ok(_) => true,
            Err(why) if why.is_not_found() => false,
            Err(why) => panic!("{why:?}"),
        }
    }

    /// Asserts that nothing is left of the volumes.
    pub(super) fn is_clean(&self, volumes: &[&Volume]) {
        let left: Vec<_> = fs::read_dir(self.scratch()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        for volume in volumes {
            assert!(!self.has_group(volume), "{volume:?}");
        }
        let listed = run("btrfs", &[of("subvolume"), of("list"), self.mounted.at()]);
        assert_eq!(listed, "");
    }

    /// Unmounts the file system and mounts it again, as a reboot does.
    async fn remount(&mut self) {
        let at = self.mounted.at().to_owned();
        let begin = Instant::now();
        while let Err(why) = mount::unmount(&at) {
            // A driver that ended holds its directory until its tasks have heard of it.
            assert!(begin.elapsed() < PATIENCE, "{why:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(btrfs::quotas(Dir::open(&at).unwrap()).is_err(), "it is no btrfs now");
        std::mem::forget(std::mem::replace(&mut self.mounted, self.image.mount("btrfs", &at)));
    }
}

/// Runs a test on a node with a btrfs.
pub(super) fn on_btrfs(test: impl AsyncFnOnce(&Node, &mut Ground)) {
    let node = Node::new(Role::Scratch);
    let mut ground = Ground::new(&node);
    // Tasks that a driver has left hold its directory until their runtime is gone.
    block_on(test(&node, &mut ground));
}

fn group(volume: &Volume) -> Group {
    Group::of(volume.id().number())
}

fn of(word: &str) -> &Path {
    Path::new(word)
}

fn run(program: &str, args: &[&Path]) -> String {
    let ran = Command::new(program).args(args).output().unwrap();
    assert!(ran.status.success(), "{program} {args:?}: {ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

/// Runs `btrfs` as somebody without any right, who has to get at the target.
fn as_nobody(node: &Node, target: &Path, args: &[&Path]) {
    use std::os::unix::fs::PermissionsExt;
    for dir in target.ancestors().skip(1).take_while(|dir| dir.starts_with(node.dir.path())) {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let who = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "btrfs", "subvolume"];
    let all: Vec<_> = who.iter().map(Path::new).chain(args.iter().copied()).collect();
    run("setpriv", &all);
}

fn is_over_quota(error: Option<std::io::Error>) -> bool {
    error.is_some_and(|error| error.raw_os_error() == Some(122))
}

#[test]
fn case_048_and_034_a_quota_is_hard_and_figures_are_those_of_the_volume() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let inline = ground.start(node);
        let volume = Volume::of(1).with("sizeLimit", "50Mi");
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        assert_eq!(rights(&target), (0o777, 0, 0));
        let mount = mount_at(&target);
        assert!(mount.fs_type == "btrfs" && mount.options.has("nosuid"), "{mount:?}");
        let limit = i64::try_from(50 * MIB).unwrap();
        let [bytes, _] = node.stats(&inline, &volume).await.unwrap();
        assert!((limit..limit + limit / 25).contains(&bytes.available), "{bytes:?}");
        let (written, error) = fill(&target.join("big"), 60 * MIB);
        assert!(is_over_quota(error) && (50 * MIB..53 * MIB).contains(&written), "{written}");
        let [bytes, _] = node.stats(&inline, &volume).await.unwrap();
        assert!(bytes.used >= limit && bytes.available < 1 << 20, "{bytes:?}");
        assert_eq!(bytes.used + bytes.available, bytes.total);
        // What is deleted can be written again.
        fs::remove_file(target.join("big")).unwrap();
        rustix::fs::sync();
        assert_eq!(fill(&target.join("again"), 40 * MIB).0, 40 * MIB);
        node.unpublish(&inline, &volume).await.unwrap();
        ground.is_clean(&[&volume]);
        node.is_clean();
    });
}

#[test]
fn case_049_subvolumes_that_a_pod_makes_count_and_go_with_the_volume() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let inline = ground.start(node);
        let volume = Volume::of(1).with("sizeLimit", "32Mi").with("enforcement", "squota");
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        let nested = target.join("nested");
        as_nobody(node, &target, &[of("create"), &nested]);
        let (written, error) = fill(&nested.join("big"), 64 * MIB);
        assert!(is_over_quota(error) && written < 34 * MIB, "{written}");
        fs::remove_file(nested.join("big")).unwrap();
        rustix::fs::sync();
        // One in another that is read-only, and one so deep that no path leads there.
        as_nobody(node, &target, &[of("create"), &nested.join("inner")]);
        run("btrfs", &[of("property"), of("set"), &nested, of("ro"), of("true")]);
        let mut deep = Dir::open(&target).unwrap();
        for _ in 0..20 {
            deep = deep.create_dir("d".repeat(255)).unwrap();
        }
        btrfs::create(&deep, "deepest", Some(group(&volume))).unwrap();
        drop(deep);
        node.unpublish(&inline, &volume).await.unwrap();
        ground.is_clean(&[&volume]);
        node.is_clean();
    });
}

#[test]
fn case_049_a_program_that_names_other_groups_gets_around_the_limit_and_goes_all_the_same() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let inline = ground.start(node);
        let volume = Volume::of(1).with("sizeLimit", "16Mi");
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        btrfs::limit(ground.dir(), Group::of(7), 256 * MIB).unwrap();
        let outside = target.join("outside");
        // This is why the admin has to allow it: no right is needed.
        as_nobody(node, &target, &[of("create"), of("-i"), of("1/7"), &outside]);
        assert_eq!(fill(&outside.join("big"), 64 * MIB).0, 64 * MIB);
        node.unpublish(&inline, &volume).await.unwrap();
        ground.is_clean(&[&volume]);
        btrfs::disband(ground.dir(), Group::of(7)).unwrap();
        node.is_clean();
    });
}

#[test]
fn case_032_after_a_reboot_a_quota_holds_as_before() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let inline = ground.start(node);
        let volume = Volume::of(1).with("sizeLimit", "32Mi");
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        fs::write(target.join("words"), vec![7; 20 << 20]).unwrap();
        drop(inline);
        take_away(&target);
        ground.remount().await;
        // What is there is kept where it is, whatever is allowed by now.
        let settings = Settings { squota: Squota::Forbidden, ..ground.settings(node) };
        let inline = node.start_with(Arc::new(Scratch::new(settings).unwrap()));
        node.publish(&inline, &volume).await.unwrap();
        assert_eq!(mounts_at(&target), 1);
        assert_eq!(fs::metadata(target.join("words")).unwrap().len(), 20 << 20);
        let (written, error) = fill(&target.join("big"), 20 * MIB);
        assert!(is_over_quota(error) && written < 14 * MIB, "{written}");
        node.unpublish(&inline, &volume).await.unwrap();
        ground.is_clean(&[&volume]);
        node.is_clean();
    });
}

#[test]
fn an_image_keeps_the_limit_where_no_quota_can() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let path = ground.scratch();
        run("btrfs", &[of("quota"), of("enable"), ground.mounted.at()]);
        let inline = ground.start(node);
        // Somebody else's quotas are as they were.
        assert_eq!(btrfs::quotas(ground.dir()).unwrap(), Quotas::Full);
        let [by_itself, wanted] = [Volume::of(1), Volume::of(2).with("enforcement", "squota")];
        node.publish(&inline, &by_itself).await.unwrap();
        assert!(path.join(format!("{}.img", by_itself.id())).exists());
        let (code, why) = refused(node.publish(&inline, &wanted).await);
        assert_eq!(code, Code::FailedPrecondition);
        assert!(why.contains("they are left as they are"), "{why}");
        // An image stays one when there are other quotas later.
        drop(inline);
        take_away(&node.target(&by_itself));
        run("btrfs", &[of("quota"), of("disable"), ground.mounted.at()]);
        let inline = ground.start(node);
        assert_eq!(btrfs::quotas(ground.dir()).unwrap(), Quotas::Simple);
        node.publish(&inline, &by_itself).await.unwrap();
        assert_eq!(mount_at(&node.target(&by_itself)).fs_type, "ext4");
        // A quota counts no files.
        let counted = Volume::of(3).with("inodeLimit", "100");
        node.publish(&inline, &counted).await.unwrap();
        assert_eq!(mount_at(&node.target(&counted)).fs_type, "ext4");
        node.publish(&inline, &wanted).await.unwrap();
        assert_eq!(mount_at(&node.target(&wanted)).fs_type, "btrfs");
        for volume in [&by_itself, &counted, &wanted] {
            node.unpublish(&inline, volume).await.unwrap();
        }
        ground.is_clean(&[&by_itself, &counted, &wanted]);
        node.is_clean();
    });
}

#[test]
fn without_its_quota_a_volume_is_not_made() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let inline = ground.start(node);
        let volume = Volume::of(1).with("sizeLimit", "32Mi");
        node.publish(&inline, &volume).await.unwrap();
        fs::write(node.target(&volume).join("words"), "here").unwrap();
        take_away(&node.target(&volume));
        run("btrfs", &[of("quota"), of("disable"), ground.mounted.at()]);
        let (code, why) = refused(node.publish(&inline, &volume).await);
        assert_eq!((code, why.contains("no simple quotas")), (Code::Unavailable, true), "{why}");
        // A driver that starts turns them on again, and the limit holds for what is written from now on.
        drop(inline);
        let inline = ground.start(node);
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        assert_eq!(fs::read_to_string(target.join("words")).unwrap(), "here");
        let (written, error) = fill(&target.join("big"), 40 * MIB);
        assert!(is_over_quota(error) && written < 34 * MIB, "{written}");
        node.unpublish(&inline, &volume).await.unwrap();
        ground.is_clean(&[&volume]);
        node.is_clean();
    });
}

#[test]
fn case_024_a_subvolume_of_no_pod_is_collected() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let inline = ground.start(node);
        let [gone, stays] = [1, 2].map(Volume::of);
        for volume in [&gone, &stays] {
            node.publish(&inline, volume).await.unwrap();
        }
        drop(inline);
        take_away(&node.target(&gone));
        fs::remove_dir_all(node.path(&format!("kubelet/pods/{}", gone.uid))).unwrap();
        // Nothing is known of it but what is on the disk.
        let record = format!("state/inline/scratch/{}.json", gone.id());
        fs::remove_file(node.path(&record)).unwrap();
        let inline = ground.start(node);
        let begin = Instant::now();
        while ground.has_group(&gone) {
            assert!(begin.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(mounts_at(&node.target(&stays)), 1);
        node.unpublish(&inline, &stays).await.unwrap();
        ground.is_clean(&[&gone, &stays]);
        node.is_clean();
    });
}

#[test]
fn a_directory_without_a_limit_goes_with_the_subvolumes_in_it() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let inline = ground.start(node);
        let volume = Volume::of(1).with("enforcement", "none");
        node.publish(&inline, &volume).await.unwrap();
        let target = node.target(&volume);
        assert_eq!(rights(&target), (0o777, 0, 0));
        let nested = target.join("nested");
        as_nobody(node, &target, &[of("create"), &nested]);
        fs::create_dir_all(nested.join("a/b")).unwrap();
        node.unpublish(&inline, &volume).await.unwrap();
        ground.is_clean(&[&volume]);
        node.is_clean();
    });
}

#[test]
fn a_directory_that_is_called_like_a_subvolume_is_none() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let inline = ground.start(node);
        let [taken, other] = [1, 2].map(Volume::of);
        node.publish(&inline, &other).await.unwrap();
        let in_the_way = ground.scratch().join(format!("{}.sub", taken.id()));
        fs::create_dir_all(in_the_way.join("a/b")).unwrap();
        // Nothing else is taken for it: neither the subvolume that it is in, nor those that are in that.
        let (_, why) = refused(node.publish(&inline, &taken).await);
        assert!(why.contains("it is a plain directory"), "{why}");
        assert!(!in_the_way.exists() && !ground.has_group(&taken));
        fs::write(node.target(&other).join("words"), "here").unwrap();
        node.unpublish(&inline, &other).await.unwrap();
        ground.is_clean(&[&taken, &other]);
        node.is_clean();
    });
}

#[test]
fn case_058_what_a_quota_promises_is_in_the_budget() {
    on_btrfs(async |node: &Node, ground: &mut Ground| {
        let [a, b] = is_in_the_budget(node, ground.settings(node)).await;
        ground.is_clean(&[&a, &b]);
        node.is_clean();
    });
}
