//! The role config: configMap, secret and projected volumes.
//!
//! What a volume shows is read with the pod's own token, or comes with the request; the driver has no right to any of
//! it. It lies in memory that is never swapped, the pod sees it read-only, and it is brought up to date when kubelet
//! publishes again, or at once where the pod's service account may watch.

mod api;
mod attributes;
mod backing;
mod files;
mod known;
mod object;
mod path;
mod payload;
mod quoted;
mod read;
mod show;
mod token;
mod watch;
mod writer;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ephemeral::{InlineId, InlineVolume, Kept, Kind, Ledger, Made};
use crate::error::{Error, Meaning, Result};
use crate::sys::blocking;
use crate::sys::mount::DetachedMount;
use crate::volume::{Bytes, Condition};

pub use api::Api;
use attributes::Asked;
use known::{Shown, Volume, Volumes};
use read::{Failed, Locals, Reader, locals};
use token::{Token, Tokens};
use watch::Job;

/// The key of the secrets by which kubelet hands over the pod's tokens. No key of a Secret can be this: it has a slash.
const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";

/// What makes the volumes of the role; clones are the same.
#[derive(Debug, Clone)]
pub struct Projections(Arc<Shared>);

/// What the role works with.
#[derive(Debug)]
pub struct Settings {
    /// The way to the API server, where there is one.
    pub api: Option<Api>,
    /// This node's name in the cluster.
    pub node: String,
    /// The most that all volumes may have in memory together.
    pub max_bytes: Option<Bytes>,
    /// Whether tokens are taken that come in the volume's context.
    pub accept_token_in_context: bool,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    ledger: Ledger,
    volumes: Volumes,
}

/// What is known of a volume after a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    bytes: Bytes,
}

// === impl Projections ===

impl Projections {
    /// Returns the kind with these settings.
    pub fn new(settings: Settings) -> Self {
        let ledger = Ledger::new("roles.config.maxBytes", settings.max_bytes);
        Self(Arc::new(Shared { settings, ledger, volumes: Volumes::default() }))
    }

    fn tokens(&self, volume: &InlineVolume) -> Result<Tokens> {
        Tokens::of(volume, self.0.settings.accept_token_in_context)
    }

    /// Begins to hear of changes, where nobody does so with this token yet.
    fn watch(
        &self,
        (of, volume): (&InlineVolume, &Arc<Volume>),
        asked: Asked,
        token: Option<Token>,
        twin: impl FnOnce() -> Option<DetachedMount>,
    ) {
        let Some(token) = token.filter(|token| volume.watches.want(token)) else { return };
        if !asked.refresh || !asked.asks_api() {
            return;
        }
        let Some(twin) = twin() else { return };
        volume.watches.start(Job {
            shared: Arc::downgrade(&self.0),
            volume: Arc::downgrade(volume),
            id: of.id.clone(),
            pod: of.pod.clone(),
            asked,
            group: of.group,
            token,
            twin,
        });
    }
}

#[async_trait]
impl Kind for Projections {
    fn plan(&self, volume: &InlineVolume) -> Result<Kept> {
        let asked = Asked::of(volume)?;
        let mut tokens = self.tokens(volume)?;
        locals(volume, &asked, &tokens, &self.0.settings.node)?;
        if asked.asks_api() && tokens.take_for_api().is_none() {
            return Err(no_token());
        }
        kept(Bytes::ZERO)
    }

    async fn make(&self, volume: &InlineVolume, _planned: Kept) -> Result<Made> {
        let (asked, mut tokens) = (Asked::of(volume)?, self.tokens(volume)?);
        let locals = locals(volume, &asked, &tokens, &self.0.settings.node)?;
        let token = tokens.take_for_api();
        let known = self.0.volumes.get_or_begin(&volume.id);
        let mut shown = known.shown.lock().await;
        let reader = self.0.reader(volume, &asked, token.as_ref());
        let reading = reader.read(locals, &[], true).await.map_err(|failed| failed.error)?;
        let (id, group, of, ledger) =
            (volume.id.clone(), volume.group, asked.clone(), self.0.ledger.clone());
        let made = blocking(move || {
            show::make(&id, &of, group, reading.found, |bytes| ledger.reserve(&id, bytes))
        });
        let new = made.await?;
        shown.parts = new.parts;
        shown.looked(asked.interval.0);
        known.is_fresh();
        drop(shown);
        self.watch((volume, &known), asked, token, || new.twin);
        Ok(Made { mount: new.read_only, kept: kept(new.takes)? })
    }

    async fn again(&self, volume: &InlineVolume, _kept: &Kept, root: OwnedFd) -> Result<()> {
        let asked = Asked::of(volume)?;
        if !asked.refresh {
            return Ok(());
        }
        let known = self.0.volumes.get_or_begin(&volume.id);
        let mut shown = known.shown.lock().await;
        let mut tokens =
            self.tokens(volume).inspect_err(|error| known.is_stale(error.sentence()))?;
        let locals = locals(volume, &asked, &tokens, &self.0.settings.node);
        let locals = locals.inspect_err(|error| known.is_stale(error.sentence()))?;
        let token = tokens.take_for_api();
        if shown.refused.is_some() && shown.refused != token.as_ref().map(Token::digest) {
            shown.hasten();
        }
        let is_heard = known.watches.are_heard() && known.stale().is_none();
        let is_due = shown.is_due() && !is_heard;
        let answer = if is_due || !shown.has_locals(&locals) {
            let reader = self.0.reader(volume, &asked, token.as_ref());
            let change = Change {
                id: &volume.id,
                volume: &known,
                shown: &mut shown,
                reader: &reader,
                group: volume.group,
                is_due,
            };
            self.0.change(change, locals, &root).await
        } else {
            known.stale().map_or(Ok(()), |stale| Err(told(stale.why)))
        };
        drop(shown);
        self.watch((volume, &known), asked, token, || DetachedMount::writable_twin(&root).ok());
        answer
    }

    async fn remove(&self, id: &InlineId, _kept: Option<&Kept>) -> Result<()> {
        self.0.volumes.forget(id);
        self.0.ledger.release(id);
        Ok(())
    }

    fn recall(&self, id: &InlineId, kept: &Kept) {
        self.0.ledger.recall(id, kept.read::<Note>().unwrap_or_default().bytes);
    }

    /// There is nothing but what is mounted at the targets.
    async fn all(&self) -> Result<Vec<InlineId>> {
        Ok(Vec::new())
    }

    fn health(&self, id: &InlineId) -> Vec<Condition> {
        let stale = self.0.volumes.get(id).and_then(|volume| volume.stale());
        let condition = |stale: known::Stale| {
            let seconds = stale.since.elapsed().as_secs();
            Condition::content_stale(format!(
                "the content may be old: it could not be brought up to date for {seconds} s: {}",
                stale.why
            ))
        };
        stale.map(condition).into_iter().collect()
    }
}

// === impl Shared ===

impl Shared {
    fn reader<'a>(
        &'a self,
        volume: &'a InlineVolume,
        asked: &'a Asked,
        token: Option<&'a Token>,
    ) -> Reader<'a> {
        let (api, node) = (self.settings.api.as_ref(), self.settings.node.as_str());
        Reader { api, token, pod: &volume.pod, node, asked }
    }

    /// Lets the volume show what its sources have now. After a failure it shows what it did before.
    async fn change(&self, change: Change<'_>, locals: Locals, mount: impl AsFd) -> Result<()> {
        let Change { id, volume, shown, reader, group, is_due } = change;
        let interval = reader.asked.interval.0;
        let read = reader.read(locals, &shown.parts, is_due).await;
        let changed = match read {
            Ok(reading) => {
                let (asked, before) = (reader.asked.clone(), shown.parts.clone());
                let (ledger, id) = (self.ledger.clone(), id.clone());
                let (found, twin) =
                    (reading.found, DetachedMount::writable_twin(mount).map_err(show::failed));
                let parts = blocking(move || {
                    let root = twin?.open_root(id.as_str()).map_err(show::failed)?;
                    let reserve = |bytes| ledger.reserve(&id, bytes);
                    show::change(&root, &asked, group, found, &before, reserve)
                });
                parts.await.map(|parts| (parts, reading.revoked)).map_err(Failed::from)
            }
            Err(failed) => Err(failed),
        };
        let changed = changed.map(|(parts, revoked)| {
            shown.parts = parts;
            revoked
        });
        match changed {
            Ok(None) => {
                if is_due {
                    shown.looked(interval);
                }
                volume.is_fresh();
                Ok(())
            }
            Ok(Some(revoked)) => {
                shown.failed(interval, None);
                volume.is_stale(revoked.sentence());
                Err(revoked)
            }
            Err(Failed { error, after }) => {
                if error.meaning() == Meaning::Unauthenticated {
                    shown.refused = reader.token.map(Token::digest);
                }
                shown.failed(interval, after);
                volume.is_stale(error.sentence());
                Err(error)
            }
        }
    }
}

/// What is changed, and by whom.
struct Change<'a> {
    id: &'a InlineId,
    volume: &'a Volume,
    shown: &'a mut Shown,
    reader: &'a Reader<'a>,
    group: Option<u32>,
    /// Whether the objects are asked.
    is_due: bool,
}

fn kept(bytes: Bytes) -> Result<Kept> {
    Kept::of(&Note { bytes }).map_err(|error| Error::internal("note what a volume takes", error))
}

fn no_token() -> Error {
    let reason = "kubelet hands over no token of the pod: set tokenRequests and serviceAccountTokenInSecrets in the CSIDriver";
    Error::Unauthenticated { reason: reason.to_owned() }
}

fn told(sentence: String) -> Error {
    Error::Told { meaning: Meaning::Unreachable, sentence }
}
