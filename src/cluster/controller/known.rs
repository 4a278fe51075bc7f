//! What is known of the objects of one kind: a copy that follows the API server by a moment.
//!
//! Only the watch writes it. What a request has just written is in here when the watch has brought it, so that nothing
//! can be in here that is not on the server any more.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::tally::{Counted, Place, Tally};
use crate::volume::Bytes;

type All<T> = BTreeMap<Box<str>, Arc<T>>;

/// The objects of one kind by their names.
#[derive(Debug)]
pub(super) struct Known<T> {
    inner: RwLock<Inner<T>>,
    /// Whether everything was known once, and a sign for whoever waits for a change.
    whole: watch::Sender<bool>,
}

#[derive(Debug)]
struct Inner<T> {
    all: All<T>,
    tally: Tally,
}

// === impl Known ===

impl<T> Default for Known<T> {
    fn default() -> Self {
        let inner = Inner { all: BTreeMap::new(), tally: Tally::default() };
        Self { inner: RwLock::new(inner), whole: watch::Sender::new(false) }
    }
}

impl<T: Counted> Known<T> {
    /// Returns when everything that there is has been told once.
    pub(super) async fn is_whole(&self) {
        // The sender is here, so that there is always somebody to wait for.
        drop(self.whole.subscribe().wait_for(|whole| *whole).await);
    }

    /// Returns something that tells of every change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<bool> {
        self.whole.subscribe()
    }

    /// Returns the object of that name.
    pub(super) fn get(&self, name: &str) -> Option<Arc<T>> {
        self.with(|inner| inner.all.get(name).cloned())
    }

    /// Returns what the function makes of the objects behind `after`, in the order of their names, until there are
    /// `most`.
    pub(super) fn some<U>(
        &self,
        after: Option<&str>,
        most: usize,
        make: impl Fn(&str, &T) -> Option<U>,
    ) -> Vec<U> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.with(|inner| {
            let behind = inner.all.range::<str, _>((from, Bound::Unbounded));
            behind.filter_map(|(name, object)| make(name, object)).take(most).collect()
        })
    }

    /// Lets the function see every object. It must be quick.
    pub(super) fn each(&self, mut see: impl FnMut(&str, &T)) {
        self.with(|inner| inner.all.iter().for_each(|(name, object)| see(name, object)));
    }

    /// Returns what the objects take of a pool; those that take what volumes have are asked for that.
    pub(super) fn taken(&self, place: &Place, open: impl Fn(&T) -> Bytes) -> Bytes {
        self.with(|inner| {
            let here = |object: &&Arc<T>| object.counts().is_some_and(|(its, _)| its == *place);
            let open_ones = inner.tally.open().filter_map(|name| inner.all.get(name)).filter(here);
            open_ones.map(|object| open(object)).fold(inner.tally.sum(place), Bytes::plus)
        })
    }

    /// Puts the objects in the place of all that was known before.
    pub(super) fn replace(&self, all: All<T>) {
        let mut tally = Tally::default();
        for (name, object) in &all {
            tally.add(name, &**object);
        }
        self.change(|inner| *inner = Inner { all, tally });
        self.whole.send_replace(true);
    }

    /// Puts in an object that there is now.
    pub(super) fn put(&self, name: &str, object: T) {
        self.change(|inner| {
            if let Some(before) = inner.all.get(name) {
                inner.tally.take_off(name, &**before);
            }
            inner.tally.add(name, &object);
            inner.all.insert(name.into(), Arc::new(object));
        });
        self.whole.send_modify(|_| ());
    }

    /// Takes out an object that is gone.
    pub(super) fn remove(&self, name: &str) {
        self.change(|inner| {
            if let Some(before) = inner.all.remove(name) {
                inner.tally.take_off(name, &*before);
            }
        });
        self.whole.send_modify(|_| ());
    }

    fn with<U>(&self, see: impl FnOnce(&Inner<T>) -> U) -> U {
        see(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Inner<T>)) {
        change(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    impl Counted for i32 {}

    #[tokio::test]
    async fn it_is_whole_when_all_was_told_and_tells_of_changes() {
        let known = Known::default();
        let waiting = tokio::time::timeout(Duration::from_millis(10), known.is_whole());
        waiting.await.unwrap_err();
        known.replace(BTreeMap::from([("a".into(), Arc::new(1)), ("c".into(), Arc::new(3))]));
        known.is_whole().await;

        let mut changes = known.changes();
        assert!(!changes.has_changed().unwrap());
        known.put("b", 2);
        changes.changed().await.unwrap();
        assert_eq!(known.get("b").as_deref(), Some(&2));
        known.remove("c");
        changes.changed().await.unwrap();
        let all = |after, most| known.some(after, most, |name, n| Some(format!("{name}{n}")));
        assert_eq!(all(None, 9), ["a1", "b2"]);
        assert_eq!(all(None, 1), ["a1"]);
        assert_eq!(all(Some("a"), 9), ["b2"]);
        assert!(all(Some("b"), 9).is_empty());
    }
}
