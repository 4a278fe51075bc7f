//! An object as it was seen: what anybody here asks for, and nothing else, for there are many.

use kube::ResourceExt;

use super::kind::Kind;
use super::tally::{Counted, Place, Takes};
use crate::cluster::objects::{self, Answer, Home, Phase};
use crate::error::{Error, Result};
use crate::volume::Condition;

/// A wish and what has become of it.
#[derive(Debug)]
pub(super) struct Seen<K: Kind> {
    pub(super) uid: Box<str>,
    pub(super) version: Box<str>,
    pub(super) generation: i64,
    pub(super) home: Home,
    /// Whether what was made of it is to be removed.
    pub(super) is_to_be_deleted: bool,
    pub(super) phase: Option<Phase>,
    /// What the node says of the wish, and of which state of it.
    failure: Option<Box<(i64, Error)>>,
    pub(super) pool_uuid: Option<Box<str>>,
    /// What it takes of its pool.
    takes: Takes,
    pub(super) health: Box<[Condition]>,
    /// What was made of it, if that can be read.
    thing: std::result::Result<Option<Box<K::Thing>>, Box<str>>,
}

/// How far a wish has come.
#[derive(Debug)]
pub(super) enum Progress<'a, T> {
    /// No node has begun.
    Unclaimed,
    /// A node is at it.
    Making,
    /// It is there.
    Made(&'a T),
    /// It could not be made, and nothing of it is left.
    Failed(Error),
}

// === impl Seen ===

impl<K: Kind> Seen<K> {
    /// Takes out of the object what is kept of it.
    pub(super) fn of(object: &K) -> Self {
        let thing = object.thing().map(|thing| thing.map(Box::new));
        let observed = object.observed_generation().unwrap_or_default();
        let failure = object.failure().map(|failure| Box::new((observed, failure.into())));
        Self {
            uid: object.uid().unwrap_or_default().into(),
            version: object.resource_version().unwrap_or_default().into(),
            generation: object.meta().generation.unwrap_or_default(),
            home: object.home(),
            is_to_be_deleted: object.is_to_be_deleted(),
            phase: object.phase(),
            failure,
            pool_uuid: object.status().and_then(Answer::pool_uuid).map(Into::into),
            // Nothing of what has failed is left.
            takes: if object.phase() == Some(Phase::Failed) {
                Takes::Nothing
            } else {
                object.takes()
            },
            health: objects::health(object.status().map_or(&[], Answer::conditions)).into(),
            thing: thing.map_err(|error| error.sentence().into()),
        }
    }

    /// Returns how far it has come, or why that cannot be read.
    pub(super) fn progress(&self) -> Result<Progress<'_, K::Thing>> {
        Ok(match (&self.thing, self.phase) {
            (Err(why), _) => return Err(Error::unfit(&**why)),
            (_, Some(Phase::Failed)) => Progress::Failed(self.failure().unwrap_or_else(|| {
                Error::unfit(format!("{} could not make it, and does not say why", self.home))
            })),
            (Ok(Some(thing)), _) => Progress::Made(thing),
            (Ok(None), None) => Progress::Unclaimed,
            (Ok(None), Some(Phase::Making | Phase::Ready | Phase::Other)) => Progress::Making,
        })
    }

    /// Returns what was made of it, if it is there and can be read.
    pub(super) fn made(&self) -> Option<&K::Thing> {
        match self.progress() {
            Ok(Progress::Made(thing)) => Some(thing),
            Ok(Progress::Unclaimed | Progress::Making | Progress::Failed(_)) | Err(_) => None,
        }
    }

    /// Returns what it takes of its pool.
    pub(super) fn takes(&self) -> &Takes {
        &self.takes
    }

    /// Returns whether it could not be made: there is no data that anybody could lose.
    pub(super) fn has_failed(&self) -> bool {
        self.phase == Some(Phase::Failed)
    }

    /// Returns what the node says is the matter.
    pub(super) fn failure(&self) -> Option<Error> {
        self.failure.as_deref().map(|(_, error)| told(error))
    }

    /// Returns what the node says is the matter with the wish as it was at that generation, or later.
    pub(super) fn failure_since(&self, generation: i64) -> Option<Error> {
        let of_it = self.failure.as_deref().filter(|(observed, _)| *observed >= generation);
        of_it.map(|(_, error)| told(error))
    }

    /// Returns whether this is the same object, seen later than the other. The versions of one object are numbers that
    /// grow.
    pub(super) fn is_later_than(&self, other: &Self) -> bool {
        let number = |seen: &Self| seen.version.parse::<u64>().ok();
        self.uid == other.uid && number(self) > number(other)
    }
}

impl<K: Kind> Counted for Seen<K> {
    fn counts(&self) -> Option<(Place, &Takes)> {
        let place = Place { home: self.home.clone(), uuid: self.pool_uuid.clone() };
        Some((place, &self.takes))
    }
}

/// An error is not to be copied; one that was told is as good when it is told again.
fn told(error: &Error) -> Error {
    Error::Told { meaning: error.meaning(), sentence: error.sentence() }
}
