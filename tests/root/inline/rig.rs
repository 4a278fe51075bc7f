//! A node with a role of inline volumes: kubelet's directories, and the services without a socket.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orlop::csi::v1;
use orlop::csi::v1::node_server::Node as _;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::csi::v1::volume_capability::{AccessMode, AccessType, MountVolume};
use orlop::ephemeral::scratch::{self, Scratch, Squota};
use orlop::ephemeral::{Inline, InlineId, Kind, Role, Settings};
use orlop::locks::Locks;
use orlop::rpc::Masked;
use orlop::sys::mountinfo::{Mount, MountTable};
use orlop::volume::Bytes;
use tempfile::TempDir;
use tonic::{Code, Request, Status};

use crate::rig::loops_below;
use crate::support::{block_on, in_mount_namespace};

/// A node; what is mounted below it goes with it.
pub(super) struct Node {
    pub(super) dir: TempDir,
    role: Role,
}

/// A volume of a pod, as its spec has it.
#[derive(Debug, Clone)]
pub(super) struct Volume {
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) read_only: bool,
    pub(super) group: String,
    pub(super) fs_type: String,
    pub(super) namespace: String,
}

// === impl Volume ===

impl Volume {
    /// Returns the volume `work` of a pod.
    pub(super) fn of(pod: u32) -> Self {
        Self {
            uid: format!("3c57e7a7-56ac-4e3a-bb2c-{pod:012}"),
            name: "work".to_owned(),
            attributes: Vec::new(),
            read_only: false,
            group: String::new(),
            fs_type: String::new(),
            namespace: "team-a".to_owned(),
        }
    }

    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.attributes.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn id(&self) -> InlineId {
        InlineId::of(&self.uid, &self.name)
    }
}

// === impl Node ===

impl Node {
    /// Begins a test: in a mount namespace of its own.
    pub(super) fn new(role: Role) -> Self {
        in_mount_namespace();
        let dir = tempfile::Builder::new().prefix("orlop-inline").tempdir().unwrap();
        for name in ["kubelet", "kubelet/pods", "state", "host"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir, role }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns the usual settings for emptyDirs: images in the node's own directory.
    pub(super) fn scratch(&self) -> scratch::Settings {
        scratch::Settings {
            path: self.path("scratch"),
            default_size: Bytes::mib(64),
            max_size: None,
            budget: None,
            allows_no_limit: true,
            squota: Squota::Forbidden,
            allows_suid: false,
            allows_dev: false,
        }
    }

    /// Starts the services over emptyDirs, as a driver does when it starts.
    pub(super) fn start(&self) -> Inline {
        self.start_with(Arc::new(Scratch::new(self.scratch()).unwrap()))
    }

    pub(super) fn start_with(&self, kind: Arc<dyn Kind>) -> Inline {
        Inline::start(self.settings(kind)).unwrap()
    }

    pub(super) fn settings(&self, kind: Arc<dyn Kind>) -> Settings {
        Settings {
            role: self.role,
            kind,
            locks: Locks::default(),
            kubelet_root: self.path("kubelet"),
            state_dir: self.path("state"),
            node: "n1".to_owned(),
            tells_republish_errors: false,
            takes_any_id: false,
            masked: Masked::default(),
        }
    }

    /// Returns where kubelet wants the volume, and makes its directory as kubelet does.
    pub(super) fn target(&self, volume: &Volume) -> PathBuf {
        let parent = self.parent(volume);
        fs::create_dir_all(&parent).unwrap();
        fs::set_permissions(&parent, fs::Permissions::from_mode(0o750)).unwrap();
        parent.join("mount")
    }

    pub(super) fn parent(&self, volume: &Volume) -> PathBuf {
        let below =
            format!("kubelet/pods/{}/volumes/kubernetes.io~csi/{}", volume.uid, volume.name);
        self.path(&below)
    }

    pub(super) fn request(&self, volume: &Volume) -> v1::NodePublishVolumeRequest {
        let of_kubelet = [
            ("ephemeral", "true"),
            ("pod.name", "p"),
            ("pod.namespace", &volume.namespace),
            ("pod.uid", &volume.uid),
            ("serviceAccount.name", "default"),
        ];
        let of_kubelet = of_kubelet
            .map(|(key, value)| (format!("csi.storage.k8s.io/{key}"), value.to_owned()))
            .into_iter();
        let mount = MountVolume {
            fs_type: volume.fs_type.clone(),
            volume_mount_group: volume.group.clone(),
            ..MountVolume::default()
        };
        v1::NodePublishVolumeRequest {
            volume_id: volume.id().to_string(),
            target_path: self.target(volume).display().to_string(),
            readonly: volume.read_only,
            volume_capability: Some(v1::VolumeCapability {
                access_mode: Some(AccessMode { mode: Mode::SingleNodeWriter.into() }),
                access_type: Some(AccessType::Mount(mount)),
            }),
            volume_context: of_kubelet
                .chain(volume.attributes.iter().cloned())
                .collect::<HashMap<_, _>>(),
            ..v1::NodePublishVolumeRequest::default()
        }
    }

    pub(super) async fn publish(&self, inline: &Inline, volume: &Volume) -> Result<(), Status> {
        let request = Request::new(self.request(volume));
        inline.node_publish_volume(request).await.map(drop)
    }

    pub(super) async fn unpublish(&self, inline: &Inline, volume: &Volume) -> Result<(), Status> {
        let request = v1::NodeUnpublishVolumeRequest {
            volume_id: volume.id().to_string(),
            target_path: self.parent(volume).join("mount").display().to_string(),
        };
        inline.node_unpublish_volume(Request::new(request)).await.map(drop)
    }

    pub(super) async fn stats(
        &self,
        inline: &Inline,
        volume: &Volume,
    ) -> Result<[v1::VolumeUsage; 2], Status> {
        let request = v1::NodeGetVolumeStatsRequest {
            volume_id: volume.id().to_string(),
            volume_path: self.parent(volume).join("mount").display().to_string(),
            ..v1::NodeGetVolumeStatsRequest::default()
        };
        let answer = inline.node_get_volume_stats(Request::new(request)).await?;
        Ok(answer.into_inner().usage.try_into().unwrap())
    }

    /// Asserts that nothing is left of any volume: no mount, no backing, no record.
    pub(super) fn is_clean(&self) {
        let table = MountTable::read().unwrap();
        let places = ["kubelet", "data", "scratch", "state"].map(|name| self.path(name));
        let is_below = |at: &Path| places.iter().any(|place| at.starts_with(place));
        let left: Vec<_> = table.iter().filter(|mount| is_below(&mount.at)).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(loops_below(&self.path("scratch")), Vec::<String>::new());
        for name in [format!("state/inline/{}", self.role), "scratch".to_owned()] {
            let Ok(entries) = fs::read_dir(self.path(&name)) else { continue };
            let left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            assert!(left.is_empty(), "{name}: {left:?}");
        }
    }
}

impl Drop for Node {
    /// Takes away what a test that failed has left mounted: the directory is removed next, and must not be removed
    /// through a mount of something else.
    fn drop(&mut self) {
        let below = |mount: &&Mount| mount.at.starts_with(self.dir.path());
        let detach = nix::mount::MntFlags::MNT_DETACH | nix::mount::MntFlags::UMOUNT_NOFOLLOW;
        for mount in MountTable::read().unwrap().iter().filter(below).rev() {
            nix::mount::umount2(&mount.at, detach).ok();
        }
        let is_clean = MountTable::read().is_ok_and(|table| !table.iter().any(|one| below(&one)));
        self.dir.disable_cleanup(!is_clean);
    }
}

/// Returns how many mounts are stacked at the path.
pub(super) fn mounts_at(path: &Path) -> usize {
    MountTable::read().unwrap().stacked_at(path).len()
}

/// Runs a test on a node of the role.
pub(super) fn on_node<F: Future<Output = ()>>(role: Role, test: impl FnOnce(Node) -> F) {
    let node = Node::new(role);
    block_on(test(node));
}

/// Returns mode, owner and group.
pub(super) fn rights(path: &Path) -> (u32, u32, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.mode() & 0o7777, found.uid(), found.gid())
}

/// Returns the code and the sentence of a call that failed.
pub(super) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), status.message().to_owned())
}
