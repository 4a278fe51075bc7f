//! An inline volume as a pod asks for it, parsed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use zeroize::Zeroizing;

use super::{Attributes, InlineId, KindName};

/// What a pod asks for.
#[derive(Debug)]
pub struct InlineVolume {
    /// Computed from the pod and the volume's name.
    pub id: InlineId,
    /// What it is.
    pub kind: KindName,
    /// Whose it is, by kubelet's word.
    pub pod: Pod,
    /// What the user wrote, without `kind` and without kubelet's keys.
    pub attributes: Attributes,
    /// The Secret that the volume refers to, and the pod's tokens where they travel as secrets.
    pub secrets: Secrets,
    /// The pod's tokens where they travel in the context, in which a user can write, too.
    pub tokens_in_context: Option<Secret>,
    /// Whether nobody may write.
    pub read_only: bool,
    /// The pod's fsGroup.
    pub group: Option<u32>,
    /// The file system that the user named.
    pub fs_type: Option<String>,
}

/// A pod, by kubelet's word.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of Kubernetes")]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub service_account: String,
}

/// A text that nobody gets to see in a log, and that is overwritten in memory when it is dropped.
pub struct Secret(Zeroizing<String>);

/// Secrets by their keys.
#[derive(Default)]
pub struct Secrets(BTreeMap<String, Secret>);

// === impl Secret ===

impl Secret {
    /// Returns the text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

// === impl Secrets ===

impl Secrets {
    /// Returns the secret of the key.
    pub fn get(&self, key: &str) -> Option<&Secret> {
        self.0.get(key)
    }

    /// Takes the secret of the key out.
    pub fn take(&mut self, key: &str) -> Option<Secret> {
        self.0.remove(key)
    }

    /// Returns all of them, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(key, secret)| (key.as_str(), secret))
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<HashMap<String, String>> for Secrets {
    fn from(all: HashMap<String, String>) -> Self {
        Self(all.into_iter().map(|(key, text)| (key, text.into())).collect())
    }
}

impl fmt::Debug for Secrets {
    /// Not even the keys: a user may write a secret where a key belongs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} redacted]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_no_debug_text() {
        let all = HashMap::from([("key-canary".to_owned(), "canary".to_owned())]);
        let secrets = Secrets::from(all);
        assert_eq!(format!("{secrets:?}"), "[1 redacted]");
        let secret = secrets.get("key-canary").unwrap();
        assert_eq!(format!("{secret:?} {}", secret.expose()), "[redacted] canary");
    }
}
