//! What is written down of an inline volume before anything of it is made, and removed when nothing of it is left.

use std::ffi::OsStr;

use serde::{Deserialize, Serialize};

use super::target::Identity;
use super::{InlineId, InlineVolume, Kept, Role};
use crate::error::{Error, Result};
use crate::sys::beneath::Dir;

/// The format that this version writes. It reads any: what it does not know of a newer one it leaves out.
const FORMAT: u32 = 1;

const SUFFIX: &str = ".json";

/// The directory of all records, in `stateDir`.
const INLINE: &str = "inline";

/// The record of a volume. No secret is ever in it, nor what the user wrote: only a digest of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    format: u32,
    /// For whoever looks into the file.
    namespace: String,
    pod: String,
    /// The pod's uid. A volume's id is a digest of this and of the volume's name, one after the other: where one ends and
    /// the other begins, the id does not say.
    #[serde(default)]
    uid: String,
    kind: String,
    /// Of what was asked for.
    pub(super) digest: String,
    /// The kind's own note.
    pub(super) kept: Kept,
    /// What is mounted at the target, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mounted: Option<Identity>,
}

/// The records of one role.
#[derive(Debug)]
pub(super) struct Records {
    dir: Dir,
}

// === impl Record ===

impl Record {
    /// Returns the record of what is about to be made.
    pub(super) fn intent(volume: &InlineVolume, digest: String, kept: Kept) -> Self {
        Self {
            format: FORMAT,
            namespace: volume.pod.namespace.clone(),
            pod: volume.pod.name.clone(),
            uid: volume.pod.uid.clone(),
            kind: volume.kind.to_string(),
            digest,
            kept,
            mounted: None,
        }
    }

    /// Says whether the volume is of this pod; of a record of the first version nobody knows.
    pub(super) fn is_of(&self, pod_uid: &str) -> bool {
        self.uid.is_empty() || self.uid == pod_uid
    }
}

// === impl Records ===

impl Records {
    /// Opens the records of the role; the directory is made if there is none.
    pub(super) fn open(state_dir: &std::path::Path, role: Role) -> Result<Self> {
        let dir = Dir::open(state_dir)
            .and_then(|state| state.ensure_dir(INLINE))
            .and_then(|inline| inline.ensure_dir(role.as_str()));
        let dir = dir.map_err(|why| Error::internal("open the records of inline volumes", why))?;
        Ok(Self { dir })
    }

    /// Returns the record of the volume. One that cannot be read is none: whatever it was about can be removed without
    /// it.
    pub(super) fn get(&self, id: &InlineId) -> Result<Option<Record>> {
        let text = match self.dir.read(name_of(id)) {
            Ok(text) => text,
            Err(why) if why.is_not_found() => return Ok(None),
            Err(why) => return Err(Error::internal("read the record of an inline volume", why)),
        };
        let record = serde_json::from_slice(&text);
        if let Err(error) = &record {
            tracing::warn!(volume = %id, %error, "the record of an inline volume cannot be read");
        }
        Ok(record.ok())
    }

    /// Writes down what is about to be made, and waits until that is on the disk.
    pub(super) fn begin(&self, id: &InlineId, record: &Record) -> Result<()> {
        let text = serde_json::to_vec(record);
        let text = text.map_err(|error| Error::internal("write a record", error))?;
        let written = self.dir.write_atomically(name_of(id), &text);
        written.map_err(|why| {
            if why.is_no_space() {
                return Error::Elsewhere { reason: format!("stateDir has no room: {why}") };
            }
            Error::internal("write down what is about to be made", why)
        })
    }

    /// Adds to the record what is mounted. That need not outlive the kernel, which has the mount.
    pub(super) fn amend(&self, id: &InlineId, record: &Record) -> Result<()> {
        let text = serde_json::to_vec(record);
        let text = text.map_err(|error| Error::internal("write a record", error))?;
        let written = self.dir.write_for_now(name_of(id), &text);
        written.map_err(|why| Error::internal("write down what was made", why))
    }

    /// Forgets the volume.
    pub(super) fn remove(&self, id: &InlineId) -> Result<()> {
        let removed = self.dir.remove_file(name_of(id)).map(drop);
        removed.map_err(|why| Error::internal("remove the record of an inline volume", why))
    }

    /// Returns the ids of all volumes that have a record.
    pub(super) fn ids(&self) -> Result<Vec<InlineId>> {
        let names = self.dir.names();
        let names = names.map_err(|why| Error::internal("list the inline volumes", why))?;
        Ok(names.iter().filter_map(|name| id_of(name)).collect())
    }
}

fn name_of(id: &InlineId) -> String {
    format!("{id}{SUFFIX}")
}

fn id_of(name: &OsStr) -> Option<InlineId> {
    InlineId::parse(name.to_str()?.strip_suffix(SUFFIX)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_122_a_record_of_another_version_is_read_as_far_as_it_is_known() {
        let room = tempfile::tempdir().unwrap();
        let records = Records::open(room.path(), Role::Scratch).unwrap();
        let id = InlineId::of("uid", "work");
        let file = room.path().join(format!("inline/scratch/{id}.json"));
        let newer = r#"{"format":2,"namespace":"a","pod":"p","kind":"emptyDir","digest":"00","new":[1],
            "kept":{"backing":"quantum"},"mounted":{"device":7,"inode":2,"also":true}}"#;
        std::fs::write(&file, newer).unwrap();
        let record = records.get(&id).unwrap().unwrap();
        assert_eq!((&*record.digest, record.mounted.is_some()), ("00", true));
        // What cannot be read at all is as if it were not there, and can be removed.
        std::fs::write(&file, "{").unwrap();
        assert_eq!(records.get(&id).unwrap(), None);
        assert_eq!(records.ids().unwrap(), std::slice::from_ref(&id));
        records.remove(&id).unwrap();
        records.remove(&id).unwrap();
        assert!(records.ids().unwrap().is_empty());
    }
}
