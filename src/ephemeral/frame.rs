//! What all inline volumes of a role share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::record::Records;
use super::target::Users;
use super::{Kind, Role};
use crate::error::{Error, Result};
use crate::locks::Locks;
use crate::rpc::Masked;
use crate::sys::beneath::Dir;

/// What a role is served with.
#[derive(Debug)]
pub struct Settings {
    /// Which one.
    pub role: Role,
    /// What makes its volumes.
    pub kind: Arc<dyn Kind>,
    /// The locks of this process.
    pub locks: Locks,
    /// The directory of kubelet, below which all targets are.
    pub kubelet_root: PathBuf,
    /// Where the records are.
    pub state_dir: PathBuf,
    /// This node's id.
    pub node: String,
    /// Whether an error of a publish that is none (the volume is there already) is told to kubelet. Those before 1.34
    /// take it for the end of the volume, and remove it under the running pod.
    pub tells_republish_errors: bool,
    /// Whether a volume may be called by an id that kubelet does not give.
    pub takes_any_id: bool,
    /// Counts the errors that kubelet is not told.
    pub masked: Masked,
}

/// A role with all that it needs.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) settings: Settings,
    pub(super) records: Records,
}

/// The directory of kubelet, open, and the names by which it is known.
#[derive(Debug)]
pub(super) struct Kubelet {
    pub(super) dir: Dir,
    names: [PathBuf; 2],
}

// === impl Kubelet ===

impl Kubelet {
    /// Returns the paths by which the directory is known.
    pub(super) fn names(&self) -> [&Path; 2] {
        self.names.each_ref().map(PathBuf::as_path)
    }
}

// === impl Frame ===

impl Frame {
    /// Opens the records, and lets the kind know what is there.
    pub(super) fn open(settings: Settings) -> Result<Self> {
        let records = Records::open(&settings.state_dir, settings.role)?;
        for id in records.ids()? {
            if let Some(record) = records.get(&id)? {
                settings.kind.recall(&id, &record.kept);
            }
        }
        // A counter that is not there cannot be told from one that nobody has.
        settings.masked.begin(settings.role.as_str());
        Ok(Self { settings, records })
    }

    /// Opens the directory of kubelet. A link in its place is followed: the admin has put it there.
    pub(super) fn kubelet(&self) -> Result<Kubelet> {
        let named = &self.settings.kubelet_root;
        let opened = Dir::open(named).and_then(|dir| Ok((dir.real_path()?, dir)));
        let (real, dir) = opened.map_err(|why| Error::Unfit {
            reason: format!("kubeletRoot {} cannot be used", named.display()),
            source: Some(why.into()),
        })?;
        Ok(Kubelet { dir, names: [named.clone(), real] })
    }

    /// Returns what becomes of processes that use a volume of the role: the host's own directories stay.
    pub(super) fn users(&self) -> Users {
        match self.settings.role {
            Role::HostPath => Users::MayGoOn,
            Role::Scratch | Role::Config => Users::AreWaitedFor,
        }
    }

    /// Counts an error that kubelet is not told.
    pub(super) fn mask(&self, error: &Error) {
        let number = self.settings.masked.count(self.settings.role.as_str());
        tracing::warn!(
            why = error.sentence(),
            number,
            "an inline volume was not brought up to date; its old content stays"
        );
    }

    /// Returns how many errors kubelet was not told.
    pub(super) fn masked(&self) -> u64 {
        self.settings.masked.of(self.settings.role.as_str())
    }
}
