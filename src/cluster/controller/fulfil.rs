//! Writes a wish, and waits until a node has fulfilled it or it is gone again.

use std::sync::Arc;

use kube::ResourceExt;
use kube::api::PostParams;

use super::Shared;
use super::change::{doing, pending};
use super::kind::Kind;
use super::patience::Patience;
use super::seen::{Progress, Seen};
use crate::backend::Ensured;
use crate::cluster::{Refused, ask};
use crate::error::{Error, Meaning, Result};

/// What is to be done about a wish.
enum Next<T> {
    /// It is fulfilled.
    Return(T),
    /// It is to be taken away, and this is the answer then.
    TakeAway(Error),
    /// There is nothing to do but to look again.
    Wait,
}

// === impl Shared ===

impl Shared {
    /// Returns what a node makes of the wish, or has made of the same one before.
    ///
    /// An error is final when nothing is left of the wish. Where something may be, it says so.
    pub(super) async fn fulfil<K: Kind>(&self, mut wish: K) -> Result<Ensured<K::Thing>> {
        let id = wish.name_any();
        wish.require(&wish.features());
        let (api, how) = (self.api::<K>(), PostParams::default());
        let object = match ask(&doing::<K>("write", &id), api.create(&how, &wish)).await {
            Ok(object) => {
                return self.until_made(&id, Arc::new(Seen::of(&object))).await.map(Ensured::Made);
            }
            Err(Refused::Exists) => self.read::<K>(&id).await?.ok_or_else(|| pending(&id))?,
            Err(other) => return Err(other.into()),
        };
        if let Some(how) = object.difference(&wish) {
            return Err(Error::Differs { what: K::NOUN, id, how });
        }
        // Another controller has decided otherwise, or this one in an earlier life: the next call finds it there.
        if object.home() != wish.home() {
            return Err(pending(&id));
        }
        self.until_made(&id, Arc::new(Seen::of(&object))).await.map(Ensured::Found)
    }

    /// Returns what a node has made of a wish that was written before, or nothing when nothing was written or is left.
    ///
    /// What is known is no answer: another controller may have removed it a moment ago.
    pub(super) async fn finish<K: Kind>(&self, id: &str) -> Result<Option<Arc<Seen<K>>>> {
        let Some(seen) = self.see::<K>(id).await? else { return Ok(None) };
        match seen.progress()? {
            Progress::Made(_) if !seen.is_to_be_deleted => return Ok(Some(seen)),
            Progress::Failed(_) => {
                // Whoever has wished for it did not live to take it away.
                self.put_away(id, &seen).await?;
                return Ok(None);
            }
            Progress::Made(_) | Progress::Making | Progress::Unclaimed => {}
        }
        self.until_made(id, seen).await?;
        self.see(id).await
    }

    async fn until_made<K: Kind>(&self, id: &str, read: Arc<Seen<K>>) -> Result<K::Thing> {
        let patience = Patience::begin();
        let mut changes = K::known(self).changes();
        let mut seen = read;
        loop {
            match self.next(id, &seen, &patience)? {
                Next::Return(thing) => return Ok(thing),
                Next::TakeAway(answer) => match self.take_away(id, &seen).await {
                    Ok(()) => return Err(answer),
                    // A node was faster: it has just begun.
                    Err(Refused::Stale) => seen = self.read_again(id, &seen).await?,
                    Err(other) => return Err(other.into()),
                },
                Next::Wait if patience.is_over() => {
                    // The last look is at the truth: what is known may be old.
                    seen = self.read_again(id, &seen).await?;
                    return match self.next(id, &seen, &patience)? {
                        Next::Return(thing) => Ok(thing),
                        Next::TakeAway(_) | Next::Wait => Err(still_going(id, &seen, &patience)),
                    };
                }
                Next::Wait => patience.wait(changes.changed()).await,
            }
            match K::known(self).get(id) {
                Some(known) if known.is_later_than(&seen) => seen = known,
                Some(known) if known.uid != seen.uid => return Err(taken_away(id)),
                Some(_) | None => {}
            }
        }
    }

    fn next<K: Kind>(
        &self,
        id: &str,
        seen: &Seen<K>,
        patience: &Patience,
    ) -> Result<Next<K::Thing>> {
        if seen.is_to_be_deleted {
            return Err(pending(id));
        }
        // Nothing may be left of a wish whose end is told.
        let progress = seen
            .progress()
            .map_err(|why| Error::Told { meaning: Meaning::Pending, sentence: why.sentence() })?;
        let is_ready = self.is_ready(&seen.home.node);
        Ok(match progress {
            Progress::Made(thing) => Next::Return(thing.clone()),
            Progress::Failed(error) => Next::TakeAway(error),
            Progress::Unclaimed if patience.is_over_for_a_node(is_ready) => {
                Next::TakeAway(K::untaken(not_begun(id, seen, patience, is_ready)))
            }
            Progress::Unclaimed | Progress::Making => Next::Wait,
        })
    }

    async fn read_again<K: Kind>(&self, id: &str, seen: &Seen<K>) -> Result<Arc<Seen<K>>> {
        let now = self.see::<K>(id).await?;
        now.filter(|now| now.uid == seen.uid).ok_or_else(|| taken_away(id))
    }
}

fn not_begun<K: Kind>(id: &str, seen: &Seen<K>, patience: &Patience, is_ready: bool) -> String {
    let (noun, home, seconds) = (K::NOUN, &seen.home, patience.waited().as_secs());
    let why = if is_ready {
        "the node is ready, so look at the pod of `orlop node` there"
    } else {
        "the node is not ready"
    };
    format!(
        "{home} has not begun with {noun} {id} within {seconds} s, and it was taken back: {why}"
    )
}

/// Returns the error of a call that cannot wait any longer for what a node has begun.
fn still_going<K: Kind>(id: &str, seen: &Seen<K>, patience: &Patience) -> Error {
    let seconds = Some(patience.waited().as_secs());
    let pending = Error::Pending { id: id.to_owned(), seconds };
    match seen.failure() {
        // It is tried again by the node, which says what stands in the way.
        Some(why) => Error::Told {
            meaning: Meaning::Pending,
            sentence: format!("{} on {}: {}", pending.sentence(), seen.home, why.sentence()),
        },
        None => pending,
    }
}

fn taken_away(id: &str) -> Error {
    let sentence = format!(
        "somebody else has taken the wish for {id} away, another controller or an admin: the next call writes it anew"
    );
    Error::Told { meaning: Meaning::Pending, sentence }
}
