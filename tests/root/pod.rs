//! A pod as kubelet makes it: a control group with one below it for each container, and a directory for volumes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use orlop::backend::Device;
use orlop::sys::cgroup::{Group, Hierarchy, IoMax, Version};
use orlop::sys::mountinfo::MountTable;
use uuid::Uuid;

/// A pod; its groups go with it.
#[derive(Debug)]
pub(crate) struct Pod {
    uid: String,
    hierarchy: Hierarchy,
    /// What is ours in the hierarchy.
    root: PathBuf,
}

/// fio in a container, until it is dropped.
#[derive(Debug)]
pub(crate) struct Fio(Child);

// === impl Pod ===

impl Pod {
    /// Thinks of a pod that has no group yet.
    pub(crate) fn planned() -> Self {
        let all = Hierarchy::all(&MountTable::read().unwrap());
        let hierarchy = all.into_iter().find(|one| !one.is_read_only()).expect(
            "this test needs control groups that limit devices: mount them at /sys/fs/cgroup (cgroup2, or cgroup with blkio)",
        );
        let uid = Uuid::new_v4().to_string();
        let root = hierarchy.root().join(format!("orlop-test-{uid}"));
        Self { uid, hierarchy, root }
    }

    /// Makes the group of a new pod, and that of one container.
    pub(crate) fn start() -> Self {
        let pod = Self::planned();
        pod.add_container("app");
        pod
    }

    pub(crate) fn version(&self) -> Version {
        self.hierarchy.version()
    }

    /// Returns where hierarchies that limit devices are mounted.
    pub(crate) fn hierarchies() -> Vec<PathBuf> {
        let all = Hierarchy::all(&MountTable::read().unwrap());
        all.iter().map(|one| one.root().to_owned()).collect()
    }

    fn dir(&self) -> PathBuf {
        self.root.join("kubepods/burstable").join(format!("pod{}", self.uid))
    }

    pub(crate) fn add_container(&self, name: &str) {
        fs::create_dir_all(self.dir().join(name)).unwrap();
    }

    /// Makes the directory that kubelet publishes a volume of the pod in, and returns the target.
    pub(crate) fn target(&self, room: &Path, is_block: bool) -> PathBuf {
        let target = if is_block {
            room.join("plugins/kubernetes.io/csi/volumeDevices/publish/pv").join(&self.uid)
        } else {
            room.join("pods").join(&self.uid).join("volumes/kubernetes.io~csi/pv/mount")
        };
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        target
    }

    /// Returns the groups in which a limit has to be: that of the pod, in version 1 those of its containers, too.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let of_pod =
            self.hierarchy.groups(|path| self.hierarchy.root().join(path) == self.dir(), |_| false);
        let below = of_pod.iter().flat_map(|group| match group.version() {
            Version::V1 => group.below(),
            Version::V2 => Vec::new(),
        });
        of_pod.iter().cloned().chain(below).collect()
    }

    /// Asserts that exactly these limits are in every group of the pod, now or in a few seconds.
    pub(crate) async fn has(&self, device: &Device, limits: IoMax) {
        let began = Instant::now();
        loop {
            let groups = self.groups();
            let all: Vec<_> = groups.iter().map(|one| one.limits(device.number).unwrap()).collect();
            if !groups.is_empty() && all.iter().all(|one| *one == limits) {
                return;
            }
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{groups:?} have {all:?}, not {limits:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Starts fio in a container.
    pub(crate) fn fio(&self, container: &str, file: &Path, arguments: &[&str]) -> Fio {
        let procs = self.dir().join(container).join("cgroup.procs");
        let child = Command::new("sh")
            .args(["-c", "echo $$ >\"$0\" && exec fio \"$@\""])
            .arg(procs)
            .args([
                "--name=load",
                "--direct=1",
                "--time_based",
                "--eta=never",
                "--runtime=300",
                "--output=/dev/null",
            ])
            .arg(format!("--filename={}", file.display()))
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Fio(child)
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // A process that was killed leaves its group a moment later; the innermost groups go first.
        for _ in 0..200 {
            let mut dirs = vec![self.root.clone()];
            let mut next = 0;
            while let Some(dir) = dirs.get(next) {
                let below = fs::read_dir(dir).into_iter().flatten().flatten();
                dirs.extend(
                    below
                        .filter(|one| one.path().is_dir())
                        .map(|one| one.path())
                        .collect::<Vec<_>>(),
                );
                next += 1;
            }
            for dir in dirs.iter().rev() {
                drop(fs::remove_dir(dir));
            }
            if !self.root.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        eprintln!("{} is left", self.root.display());
    }
}

// === impl Fio ===

impl Drop for Fio {
    fn drop(&mut self) {
        // By its own way, so that the processes it started end with it.
        let pid = nix::unistd::Pid::from_raw(self.0.id().try_into().unwrap());
        if let Err(why) = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM) {
            eprintln!("fio is gone: {why}");
        }
        drop(self.0.wait());
    }
}
