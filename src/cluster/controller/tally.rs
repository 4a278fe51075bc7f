//! What the objects of a kind take of each pool, kept as they come and go: to add up ten thousand of them for every call
//! would be most of its work.

use std::collections::{BTreeSet, HashMap};

use crate::cluster::objects::Home;
use crate::volume::{Bytes, VolumeId};

/// What something takes of its pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing: it is not there.
    Nothing,
    /// So much.
    Bytes(Bytes),
    /// As much as these volumes have, which are yet to be cut.
    LikeVolumes(Box<[VolumeId]>),
}

/// Something that may take room of a pool.
pub(super) trait Counted {
    /// Returns which pool it is in, that pool's UUID, as far as it was ever in one, and what it takes.
    fn counts(&self) -> Option<(Place, &Takes)> {
        None
    }
}

/// A pool, and which of those that had its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) home: Home,
    pub(super) uuid: Option<Box<str>>,
}

/// The sums.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Wide enough for every number that anybody could write into an object.
    sums: HashMap<Place, u128>,
    /// The names of those that take what others have.
    open: BTreeSet<Box<str>>,
}

// === impl Tally ===

impl Tally {
    /// Adds the object of that name.
    pub(super) fn add(&mut self, name: &str, object: &impl Counted) {
        match object.counts() {
            Some((place, Takes::Bytes(bytes))) => {
                *self.sums.entry(place).or_default() += u128::from(bytes.0);
            }
            Some((_, Takes::LikeVolumes(_))) => drop(self.open.insert(name.into())),
            Some((_, Takes::Nothing)) | None => {}
        }
    }

    /// Takes the object of that name off again.
    pub(super) fn take_off(&mut self, name: &str, object: &impl Counted) {
        match object.counts() {
            Some((place, Takes::Bytes(bytes))) => {
                let sum = self.sums.remove(&place).unwrap_or_default();
                let sum = sum.saturating_sub(bytes.0.into());
                if sum > 0 {
                    self.sums.insert(place, sum);
                }
            }
            Some((_, Takes::LikeVolumes(_))) => drop(self.open.remove(name)),
            Some((_, Takes::Nothing)) | None => {}
        }
    }

    /// Returns what is taken of the pool, without what takes as much as others have.
    pub(super) fn sum(&self, place: &Place) -> Bytes {
        let sum = self.sums.get(place).copied().unwrap_or_default();
        Bytes(u64::try_from(sum).unwrap_or(u64::MAX))
    }

    /// Returns the names of those that take what others have.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        self.open.iter().map(|name| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(&'static str, Takes);

    impl Counted for One {
        fn counts(&self) -> Option<(Place, &Takes)> {
            Some((place(self.0), &self.1))
        }
    }

    fn place(uuid: &str) -> Place {
        Place { home: Home::new("n1", "fast"), uuid: Some(uuid.into()) }
    }

    #[test]
    fn what_is_added_can_be_taken_off() {
        let mut tally = Tally::default();
        let (small, huge) =
            (One("a", Takes::Bytes(Bytes(7))), One("a", Takes::Bytes(Bytes(u64::MAX))));
        let (other, open) =
            (One("b", Takes::Bytes(Bytes(1))), One("a", Takes::LikeVolumes(Box::default())));
        for (name, one) in [("1", &small), ("2", &huge), ("3", &huge), ("4", &other), ("5", &open)]
        {
            tally.add(name, one);
        }
        assert_eq!(tally.sum(&place("a")), Bytes(u64::MAX));
        assert_eq!(tally.sum(&place("b")), Bytes(1));
        assert_eq!(tally.open().collect::<Vec<_>>(), ["5"]);
        for (name, one) in [("2", &huge), ("3", &huge), ("5", &open)] {
            tally.take_off(name, one);
        }
        assert_eq!(tally.sum(&place("a")), Bytes(7));
        tally.take_off("1", &small);
        tally.take_off("4", &other);
        assert!(tally.sums.is_empty() && tally.open.is_empty());
    }
}
