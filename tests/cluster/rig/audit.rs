//! What the API server was asked, by whom, and by which right, as it writes it down itself.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde::Deserialize;

const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
";

/// The API server's audit log.
#[derive(Debug)]
pub(crate) struct Audit {
    policy: PathBuf,
    log: PathBuf,
    /// Until when it was held against the rights.
    seen: Mutex<Mark>,
}

/// A moment: all that is in the log until then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(u64);

/// One entry. A watch has two: when it began, and when it ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    #[serde(rename = "auditID")]
    pub(crate) id: String,
    /// `ResponseStarted` for what goes on, `ResponseComplete` for what is done.
    pub(crate) stage: String,
    /// RFC 3339 with six digits after the point, so that the order of the texts is that of time.
    #[serde(rename = "requestReceivedTimestamp")]
    received: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub(crate) verb: String,
    #[serde(rename = "requestURI")]
    pub(crate) uri: String,
    pub(crate) user: User,
    #[serde(default)]
    pub(crate) user_agent: String,
    #[serde(default)]
    pub(crate) object_ref: Object,
    #[serde(default)]
    pub(crate) response_status: Response,
    /// Among them `authorization.k8s.io/reason`, which names the role and its binding.
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Whoever is not known has no name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub(crate) username: String,
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Object {
    pub(crate) api_group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Response {
    pub(crate) code: u16,
}

// === impl Mark ===

impl Mark {
    /// The moment before the first request.
    pub(crate) const BEGINNING: Self = Self(0);
}

// === impl Audit ===

impl Audit {
    pub(crate) fn new(dir: &Path) -> Self {
        let (policy, log) = (dir.join("audit.yaml"), dir.join("audit.log"));
        let new = Self { policy, log, seen: Mutex::new(Mark::BEGINNING) };
        std::fs::write(&new.policy, POLICY).unwrap();
        std::fs::write(&new.log, "").unwrap();
        new
    }

    pub(crate) fn ask_for_it(&self, api_server: &mut Command) {
        api_server.arg("--audit-policy-file").arg(&self.policy);
        api_server.arg("--audit-log-path").arg(&self.log);
        // An answer is written down before it is complete; and the log stays one file.
        api_server.args(["--audit-log-mode=blocking-strict", "--audit-log-maxsize=100000"]);
    }

    /// Returns this moment.
    pub(crate) fn now(&self) -> Mark {
        Mark(std::fs::metadata(&self.log).unwrap().len())
    }

    /// Returns what has come since.
    pub(crate) fn since(&self, mark: Mark) -> Vec<Event> {
        self.read_from(mark).0
    }

    /// Returns what nobody has got by this before.
    pub(super) fn next(&self) -> Vec<Event> {
        let mut seen = self.seen.lock().unwrap();
        let (events, end) = self.read_from(*seen);
        *seen = end;
        events
    }

    /// Returns what has come since, and until when that is.
    fn read_from(&self, Mark(begin): Mark) -> (Vec<Event>, Mark) {
        let mut log = std::fs::File::open(&self.log).unwrap();
        log.seek(SeekFrom::Start(begin)).unwrap();
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        // A line that is just being written is not there yet.
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        let events = text[..end].lines().map(|line| serde_json::from_str(line).expect(line));
        (events.collect(), Mark(begin + u64::try_from(end).unwrap()))
    }

    /// Returns how the object of this name was written since, in the order in which it was asked for, as `create` or
    /// `patch status`.
    pub(crate) fn writes(&self, mark: Mark, name: &str) -> Vec<String> {
        let mut writes = self.since(mark);
        writes.retain(|one| one.is_a_write() && one.object_ref.name == name);
        // The log has them in the order of their ends: a node that watches can have acted on a write, and been answered,
        // before the end of that write is in the log.
        writes.sort_by(|a, b| a.received.cmp(&b.received));
        writes
            .into_iter()
            .map(|one| format!("{} {}", one.verb, one.object_ref.subresource).trim().to_owned())
            .collect()
    }
}

// === impl Event ===

impl Event {
    /// Returns whether it is about a resource such as `volumes`, or `volumes/status`.
    pub(crate) fn is_about(&self, resource: &str) -> bool {
        let (name, part) = resource.split_once('/').unwrap_or((resource, ""));
        self.object_ref.resource == name && self.object_ref.subresource == part
    }

    /// Returns whether the request is one that changes something.
    pub(crate) fn is_a_write(&self) -> bool {
        ["create", "update", "patch", "delete", "deletecollection"].contains(&self.verb.as_str())
    }
}
