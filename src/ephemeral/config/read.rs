//! Finds out what the sources of a volume have: all of it the first time, later only what has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::api::{Api, Trouble, Wanted};
use super::attributes::{Asked, Item, ObjectName, OnRevoke, PodItem, Resource, Source};
use super::files::{self, Files};
use super::known::{Part, Seen};
use super::object::Version;
use super::token::{Token, Tokens};
use crate::ephemeral::{InlineVolume, Pod};
use crate::error::{Error, Meaning, Result};

/// What one source has.
pub(super) enum Found {
    /// The same as before.
    Same,
    /// These files, made of this.
    Files(Seen, Files),
}

/// What all sources have.
pub(super) struct Reading {
    /// For each source.
    pub(super) found: Vec<Found>,
    /// What went wrong although there is something to show.
    pub(super) revoked: Option<Error>,
}

/// Why nothing can be shown, or nothing new.
#[derive(Debug)]
pub(super) struct Failed {
    /// All that went wrong.
    pub(super) error: Error,
    /// When the server wants to be asked again.
    pub(super) after: Option<Duration>,
}

/// Whoever reads, and for whom.
pub(super) struct Reader<'a> {
    pub(super) api: Option<&'a Api>,
    pub(super) token: Option<&'a Token>,
    pub(super) pod: &'a Pod,
    pub(super) node: &'a str,
    pub(super) asked: &'a Asked,
}

/// What came with the request, or nothing for what did not.
pub(super) type Locals = Vec<Option<(Seen, Files)>>;

/// Returns the files of the sources that need nobody to be asked.
pub(super) fn locals(
    volume: &InlineVolume,
    asked: &Asked,
    tokens: &Tokens,
    node: &str,
) -> Result<Locals> {
    let usual = asked.default_mode;
    let of = |source: &Source| {
        let files = match source {
            Source::Object { .. } | Source::PodInfo { from_api: true, .. } => return Ok(None),
            Source::Reference { items, optional } => {
                files::of_reference(&volume.secrets, items, *optional, usual)?
            }
            Source::PodInfo { items, .. } => {
                files::of_pod((&volume.pod, node), &BTreeMap::new(), items, usual)
            }
            Source::Token { audience, path } => files::of_token(tokens, audience, path)?,
        };
        Ok(Some((Seen::Local(digest(&files)), files)))
    };
    asked.sources.iter().map(of).collect()
}

fn digest(files: &Files) -> [u8; 32] {
    let mut all = Sha256::new();
    for (path, content, mode) in files {
        for part in [path.as_str().as_bytes(), content, &mode.bits().to_le_bytes()] {
            all.update(part.len().to_le_bytes());
            all.update(part);
        }
    }
    all.finalize().into()
}

// === impl Reader ===

impl Reader<'_> {
    /// Reads the sources. `before` is what they had; those that are not `due` are not asked.
    pub(super) async fn read(
        &self,
        locals: Locals,
        before: &[Part],
        due: bool,
    ) -> Result<Reading, Failed> {
        let mut reading = Reading { found: Vec::new(), revoked: None };
        let mut failures: Vec<(Error, Option<Duration>)> = Vec::new();
        for (index, (source, local)) in self.asked.sources.iter().zip(locals).enumerate() {
            let seen = before.get(index).map(|part| &part.seen);
            match (Sought::of(source), local) {
                (Some(object), _) => {
                    let found = match seen {
                        Some(_) if !due => Ok(Found::Same),
                        seen => self.object(&object, seen, &mut reading.revoked).await,
                    };
                    match found {
                        Ok(found) => reading.found.push(found),
                        Err((error, after)) => {
                            // Whoever does not answer is not asked for the rest of the list, too.
                            let ends = error.meaning() == Meaning::Unreachable;
                            failures.push((error, after));
                            if ends {
                                break;
                            }
                        }
                    }
                }
                (_, Some((now, _))) if seen == Some(&now) => reading.found.push(Found::Same),
                (_, Some((now, files))) => reading.found.push(Found::Files(now, files)),
                // What came with the request then does not come with a change that a watch tells.
                (_, None) => reading.found.push(Found::Same),
            }
        }
        if failures.is_empty() { Ok(reading) } else { Err(Failed::all(failures)) }
    }

    async fn object(
        &self,
        sought: &Sought<'_>,
        seen: Option<&Seen>,
        revoked: &mut Option<Error>,
    ) -> Result<Found, (Error, Option<Duration>)> {
        let trouble = match self.ask(sought, seen).await.map_err(|error| (error, None))? {
            Ok(found) => return Ok(found),
            Err(trouble) => trouble,
        };
        let is_absent = matches!(trouble, Trouble::NotFound) && sought.is_optional();
        let is_revoked = matches!(trouble, Trouble::NotFound | Trouble::Forbidden);
        if !is_absent {
            let (error, after) = self.told(sought, trouble);
            // What was never shown is not revoked.
            if !is_revoked || seen.is_none() || self.asked.on_revoke == OnRevoke::Keep {
                return Err((error, after));
            }
            *revoked = Some(error);
        }
        Ok(match seen {
            Some(Seen::Absent) => Found::Same,
            _ => Found::Files(Seen::Absent, Files::new()),
        })
    }

    /// Asks for the state of an object that is known, and for its content only where that has changed.
    async fn ask(
        &self,
        sought: &Sought<'_>,
        seen: Option<&Seen>,
    ) -> Result<Result<Found, Trouble>> {
        let (api, token) = self.way()?;
        let wanted = sought.wanted(self.pod)?;
        let is_it =
            |version: &Version| sought.resource() != Resource::Pod || version.uid == self.pod.uid;
        if let Some(Seen::Object { version, .. }) = seen {
            match api.version(&wanted, token).await {
                Ok(now) if now == *version => return Ok(Ok(Found::Same)),
                // Another pod that has the name now.
                Ok(now) if !is_it(&now) => return Ok(Err(Trouble::NotFound)),
                Ok(_) => {}
                Err(trouble) => return Ok(Err(trouble)),
            }
        }
        let object = match api.object(&wanted, token).await {
            Ok(object) => object,
            Err(trouble) => return Ok(Err(trouble)),
        };
        if !is_it(&object.version) {
            return Ok(Err(Trouble::NotFound));
        }
        let (entries, usual) = (&object.entries, self.asked.default_mode);
        let files = match sought {
            Sought::Object { resource, items, optional, .. } => {
                files::of_object(entries, items, *optional, *resource, usual)?
            }
            Sought::Pod { items } => files::of_pod((self.pod, self.node), entries, items, usual),
        };
        let seen = Seen::Object { version: object.version, immutable: object.immutable };
        Ok(Ok(Found::Files(seen, files)))
    }

    fn way(&self) -> Result<(&Api, &Token)> {
        let api = self.api.ok_or_else(|| {
            Error::unfit("this node knows no API server: run it as a pod of the cluster, or give cluster.kubeconfig")
        })?;
        let token = self.token.ok_or_else(|| Error::Unauthenticated {
            reason: "kubelet hands over no token of the pod: set tokenRequests and serviceAccountTokenInSecrets in the CSIDriver".to_owned(),
        })?;
        Ok((api, token))
    }

    /// Says it to the user: who may not do what with which object, and what helps.
    fn told(&self, sought: &Sought<'_>, trouble: Trouble) -> (Error, Option<Duration>) {
        let resource = sought.resource();
        let (word, plural, name) = (resource.word(), resource.plural(), sought.name(self.pod));
        let account = format!("{}/{}", self.pod.namespace, self.pod.service_account);
        match trouble {
            Trouble::NotFound => (Error::unfit(format!("{word} {name:?} not found")), None),
            Trouble::Forbidden => (
                Error::forbidden(format!(
                    "service account {account} may not get {word} {name:?}: bind it to a Role in namespace {} with the verb get for {plural} and the resourceName {name}",
                    self.pod.namespace
                )),
                None,
            ),
            Trouble::Unauthenticated => (
                Error::Unauthenticated {
                    reason: format!(
                        "the API server does not take the token of service account {account} for {word} {name:?}"
                    ),
                },
                None,
            ),
            Trouble::Later { cause, after } => (
                Error::Unreachable {
                    peer: format!("the API server for {word} {name:?}"),
                    source: cause,
                },
                after,
            ),
        }
    }
}

/// An object that a source is of.
enum Sought<'a> {
    Object { resource: Resource, name: &'a ObjectName, items: &'a [Item], optional: bool },
    Pod { items: &'a [PodItem] },
}

impl<'a> Sought<'a> {
    fn of(source: &'a Source) -> Option<Self> {
        match source {
            Source::Object { resource, name, items, optional } => {
                Some(Self::Object { resource: *resource, name, items, optional: *optional })
            }
            Source::PodInfo { items, from_api: true } => Some(Self::Pod { items }),
            Source::PodInfo { from_api: false, .. }
            | Source::Reference { .. }
            | Source::Token { .. } => None,
        }
    }

    fn resource(&self) -> Resource {
        match self {
            Self::Object { resource, .. } => *resource,
            Self::Pod { .. } => Resource::Pod,
        }
    }

    fn name<'n>(&'n self, pod: &'n Pod) -> &'n str {
        match self {
            Self::Object { name, .. } => name.as_str(),
            Self::Pod { .. } => &pod.name,
        }
    }

    fn is_optional(&self) -> bool {
        matches!(self, Self::Object { optional: true, .. })
    }

    /// Returns where the object is, in the pod's namespace.
    fn wanted(&self, pod: &Pod) -> Result<Wanted> {
        // Both become pieces of a path, whoever wrote them.
        let piece = |text: &str, reason| {
            let parsed: Result<ObjectName, String> = text.parse();
            parsed.map_err(|_text| Error::invalid("volume_context", reason))
        };
        let namespace = piece(&pod.namespace, "the pod's namespace is none")?;
        let name = piece(self.name(pod), "the pod's name is none")?;
        Ok(Wanted { resource: self.resource(), namespace, name })
    }
}

/// Returns where the object of a source is; nothing where it is of none.
pub(super) fn wanted(pod: &Pod, source: &Source) -> Option<Result<Wanted>> {
    Sought::of(source).map(|sought| sought.wanted(pod))
}

// === impl Failed ===

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, after: None }
    }
}

impl Failed {
    /// Joins what went wrong; what may be better later decides what the whole is.
    fn all(failures: Vec<(Error, Option<Duration>)>) -> Self {
        let after = failures.iter().filter_map(|(_, after)| *after).max();
        let mut sentences: BTreeMap<usize, String> = BTreeMap::new();
        let mut errors: Vec<Error> = failures.into_iter().map(|(error, _)| error).collect();
        for (index, error) in errors.iter().enumerate() {
            sentences.insert(index, error.sentence());
        }
        let first = errors.iter().position(|error| error.meaning() == Meaning::Unreachable);
        let error = errors.swap_remove(first.unwrap_or(0));
        if errors.is_empty() {
            return Self { error, after };
        }
        let sentence = sentences.into_values().collect::<Vec<_>>().join("; ");
        Self { error: Error::Told { meaning: error.meaning(), sentence }, after }
    }
}
