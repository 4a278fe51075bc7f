//! How much of what a node has is promised to inline volumes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::InlineId;
use crate::error::{Error, Result};
use crate::volume::Bytes;

/// A budget and what is taken of it. Clones are the same.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The key of the config that bounds it, for the message.
    key: &'static str,
    budget: Option<Bytes>,
    taken: Arc<Mutex<BTreeMap<InlineId, Bytes>>>,
}

// === impl Ledger ===

impl Ledger {
    /// Returns a ledger of which nothing is taken yet. Without a budget it only counts.
    pub fn new(key: &'static str, budget: Option<Bytes>) -> Self {
        Self { key, budget, taken: Arc::default() }
    }

    /// Reserves so much for the volume, in place of what it had before. Where that is more than there is, the volume
    /// keeps what it had.
    pub fn reserve(&self, id: &InlineId, wanted: Bytes) -> Result<()> {
        let mut taken = self.taken();
        let others = taken.iter().filter(|(other, _)| *other != id);
        let others = others.fold(Bytes::ZERO, |sum, (_, bytes)| sum.plus(*bytes));
        if let Some(budget) = self.budget
            && others.plus(wanted) > budget
        {
            let free = budget.less(others);
            let place = format!("{} of this node, {budget},", self.key);
            return Err(Error::Exhausted { place, asked: wanted, free });
        }
        taken.insert(id.clone(), wanted);
        drop(taken);
        Ok(())
    }

    /// Notes what a volume has that is there already, whether that fits or not.
    pub fn recall(&self, id: &InlineId, has: Bytes) {
        self.taken().insert(id.clone(), has);
    }

    /// Gives back what the volume has.
    pub fn release(&self, id: &InlineId) {
        self.taken().remove(id);
    }

    /// Returns the sum of what is reserved.
    pub fn sum(&self) -> Bytes {
        self.taken().values().fold(Bytes::ZERO, |sum, bytes| sum.plus(*bytes))
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<InlineId, Bytes>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_never_overdrawn_and_what_is_given_back_can_be_had_again() {
        let ledger = Ledger::new("roles.scratch.budget", Some(Bytes(10)));
        let [a, b] = ["a", "b"].map(|name| InlineId::of("uid", name));
        ledger.reserve(&a, Bytes(6)).unwrap();
        let refused = ledger.reserve(&b, Bytes(5)).unwrap_err().to_string();
        let expected =
            "roles.scratch.budget of this node, 10 bytes, has no room: 5 bytes asked, 4 bytes free";
        assert_eq!(refused, expected);
        // A volume that is asked for again does not count twice.
        ledger.reserve(&a, Bytes(10)).unwrap();
        assert!(ledger.reserve(&a, Bytes(11)).is_err());
        assert_eq!(ledger.sum(), Bytes(10));
        ledger.release(&a);
        ledger.reserve(&b, Bytes(5)).unwrap();
        ledger.recall(&a, Bytes(100));
        assert_eq!(ledger.sum(), Bytes(105));
    }
}
