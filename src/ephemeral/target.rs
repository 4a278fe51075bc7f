//! Where kubelet wants an inline volume to be: reached from kubelet's own directory by descriptors, one name at a time.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::fs::FileType;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::InlineId;
use crate::error::{Error, Meaning, Result};
use crate::sys::beneath::{Dir, How};
use crate::sys::inspect::{Seen, has_nothing_to_lose, look};
use crate::sys::mount::{self, DetachedMount, How as Unmounting};
use crate::sys::{Failure, patience};

/// After so long, what keeps a mount busy is a process that uses it.
const STILL_BUSY: Duration = Duration::from_secs(2);

/// So many mounts can be stacked on a target before somebody looks into it.
const MOST_STACKED: u32 = 64;

/// The directory of the pods, in that of kubelet.
pub(super) const PODS: &str = "pods";

/// The directories in that of a pod in which its CSI volumes are.
pub(super) const VOLUMES: [&str; 2] = ["volumes", "kubernetes.io~csi"];

/// The last name of every target.
const MOUNT: &str = "mount";

/// The path of a target: which volume of which pod it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetPath {
    pod: String,
    volume: String,
}

/// A target in its directory, which is open.
#[derive(Debug)]
pub(super) struct Target {
    parent: Dir,
}

/// What is at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Nothing.
    Nothing,
    /// A directory, or a file to bind another one on.
    Bare,
    /// A mount.
    Mounted(Identity),
}

/// What becomes of processes that still use a mount that is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    /// The mount stays as long as they do, unless there is nothing to lose.
    AreWaitedFor,
    /// What they use is there without the mount, too. It goes with all that is mounted below it.
    MayGoOn,
}

/// By what the root of a mount is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

// === impl TargetPath ===

impl TargetPath {
    /// Parses the path, which begins with one of the names of kubelet's directory.
    pub(super) fn parse(roots: &[&Path], text: &str) -> Result<Self> {
        let path = Path::new(text);
        let below = roots.iter().find_map(|root| path.strip_prefix(root).ok());
        let names: Option<Vec<&str>> = below.and_then(|below| {
            let parts = below
                .components()
                .map(|part| if let Component::Normal(name) = part { name.to_str() } else { None });
            parts.collect()
        });
        match names.as_deref() {
            Some([PODS, pod, first, second, volume, MOUNT]) if [*first, *second] == VOLUMES => {
                Ok(Self { pod: (*pod).to_owned(), volume: (*volume).to_owned() })
            }
            _ => {
                let root = roots.first().unwrap_or(&Path::new("/")).display();
                let [first, second] = VOLUMES;
                Err(Error::invalid(
                    "target_path",
                    format!(
                        "is not {root}/pods/<uid>/{first}/{second}/<volume>/mount; kubeletRoot in the config says where kubelet is"
                    ),
                ))
            }
        }
    }

    /// Returns the pod's uid.
    pub(super) fn pod(&self) -> &str {
        &self.pod
    }

    /// Returns the id that kubelet gives to the volume.
    pub(super) fn id(&self) -> InlineId {
        InlineId::of(&self.pod, &self.volume)
    }

    /// Returns that id if it is the one that was named, or if any may be named: which volume it is, the path says.
    pub(super) fn checked_id(&self, named: Option<&InlineId>, takes_any: bool) -> Result<InlineId> {
        let id = self.id();
        if takes_any || named == Some(&id) {
            return Ok(id);
        }
        let reason = "is not the one that kubelet gives to the pod's volume at target_path";
        Err(Error::invalid("volume_id", reason))
    }
}

// === impl Target ===

impl Target {
    /// Opens the directory of the target; nothing when it is gone.
    pub(super) fn open(kubelet: &Dir, path: &TargetPath) -> Result<Option<Self>> {
        let [first, second] = VOLUMES;
        let mut dir = kubelet.duplicate().map_err(not_reached)?;
        for name in [PODS, &path.pod, first, second, &path.volume] {
            dir = match dir.open_dir(name) {
                Ok(inner) => inner,
                Err(why) if why.is_not_found() => return Ok(None),
                Err(why) => return Err(not_reached(why)),
            };
        }
        Ok(Some(Self { parent: dir }))
    }

    /// Looks what is there.
    pub(super) fn look(&self) -> Result<At> {
        let place = match self.parent.open_place(MOUNT) {
            Ok(place) => place,
            Err(why) if why.is_not_found() => return Ok(At::Nothing),
            Err(why) => return Err(not_reached(why)),
        };
        let seen = look(&place).map_err(not_reached)?;
        Ok(if seen.is_mount_root { At::Mounted(Identity::of(&seen)) } else { At::Bare })
    }

    /// Opens the root of what is mounted there.
    pub(super) fn root(&self) -> Result<OwnedFd> {
        self.parent.open_place(MOUNT).map_err(not_reached)
    }

    /// Puts the mount there. What is made for it is taken away again if that fails.
    pub(super) fn put(&self, mount: &DetachedMount) -> Result<()> {
        let kind = look(mount).map_err(not_reached)?.kind;
        let made = self.ensure(kind)?;
        let put = self.root().and_then(|place| {
            let found = look(&place).map_err(not_reached)?;
            if found.is_mount_root || found.kind.is_dir() != kind.is_dir() {
                return Err(occupied());
            }
            mount.put(place).map_err(not_reached)
        });
        if put.is_err()
            && made
            && let Err(left) = self.remove()
        {
            tracing::warn!(why = left.sentence(), "a failed publish left its target");
        }
        put
    }

    /// Makes sure that there is something to mount on, and returns whether it had to be made.
    fn ensure(&self, kind: FileType) -> Result<bool> {
        let made = if kind.is_dir() {
            self.parent.create_dir(MOUNT).map(drop)
        } else {
            self.parent.open_file(MOUNT, How::CreateNew).map(drop)
        };
        match made {
            Ok(()) => Ok(true),
            Err(why) if why.errno() == Some(Errno::EXIST) => {
                // What lies in it would be hidden now and in the way of the unpublish later.
                let is_empty = || self.parent.open_dir(MOUNT).and_then(|dir| dir.names());
                if kind.is_dir() && !is_empty().map_err(not_reached)?.is_empty() {
                    return Err(occupied());
                }
                Ok(false)
            }
            Err(why) => Err(not_reached(why)),
        }
    }

    /// Takes away whatever is mounted there, as often as something is stacked.
    pub(super) fn unmount(&self, users: Users) -> Result<()> {
        for _ in 0..MOST_STACKED {
            if !matches!(self.look()?, At::Mounted(_)) {
                return Ok(());
            }
            self.unmount_topmost(users)?;
        }
        Err(Error::unfit("something is mounted on the target again and again"))
    }

    fn unmount_topmost(&self, users: Users) -> Result<()> {
        let try_to = |how| mount::unmount_in(&self.parent, OsStr::new(MOUNT), how);
        if users == Users::MayGoOn {
            let path = self.path();
            let doing = || format!("unmount {}", path.display());
            return try_to(Unmounting::AtOnce)
                .map(drop)
                .map_err(|why| Error::internal(doing(), why));
        }
        let attempt = || match try_to(Unmounting::WhenFree) {
            Err(why) if why.errno() == Some(Errno::BUSY) => Ok(None),
            answer => answer.map(Some),
        };
        let path = self.path();
        let doing = || format!("unmount {}", path.display());
        let outcome = patience::within(STILL_BUSY, attempt);
        if outcome.map_err(|why| Error::internal(doing(), why))?.is_some() {
            return Ok(());
        }
        let root = self.root()?;
        if has_nothing_to_lose(&root).map_err(not_reached)? {
            drop(root);
            try_to(Unmounting::AtOnce).map_err(|why| Error::internal(doing(), why))?;
            return Ok(());
        }
        let sentence = format!(
            "a process still uses {}; when it ends, the volume is unmounted",
            path.display()
        );
        Err(Error::Told { meaning: Meaning::Pending, sentence })
    }

    /// Removes the target if it is what was made to mount on: an empty directory or an empty file. Anything else is
    /// not ours and stays.
    pub(super) fn remove(&self) -> Result<()> {
        let place = match self.parent.open_place(MOUNT) {
            Ok(place) => place,
            Err(why) if why.is_not_found() => return Ok(()),
            Err(why) => return Err(not_reached(why)),
        };
        let stays = || {
            let path = self.path();
            Err(Error::unfit(format!("{} is not empty; it is left as it is", path.display())))
        };
        let kind = look(&place).map_err(not_reached)?.kind;
        let removed = if kind.is_dir() {
            self.parent.remove_empty_dir(MOUNT)
        } else if kind.is_file() && self.is_empty_file()? {
            self.parent.remove_file(MOUNT)
        } else {
            return stays();
        };
        match removed {
            Err(why) if why.errno() == Some(Errno::NOTEMPTY) => stays(),
            other => other.map(drop).map_err(not_reached),
        }
    }

    fn is_empty_file(&self) -> Result<bool> {
        let file = self.parent.open_file(MOUNT, How::Read).map_err(not_reached)?;
        Ok(file.metadata().is_ok_and(|found| found.len() == 0))
    }

    fn path(&self) -> PathBuf {
        self.parent.path_of(OsString::from(MOUNT))
    }
}

// === impl Identity ===

impl Identity {
    pub(super) fn of(seen: &Seen) -> Self {
        Self { device: seen.device.raw(), inode: seen.inode }
    }
}

fn not_reached(why: Failure) -> Error {
    Error::internal("reach the target of an inline volume", why)
}

fn occupied() -> Error {
    Error::internal(
        "use the target of an inline volume",
        "something that this driver has not put there is in the way",
    )
}
