//! What differs between the kinds of wishes; all else is the same for all.

use std::collections::BTreeMap;

use async_trait::async_trait;
use uuid::Uuid;

use super::Shared;
use crate::backend::{Contents, LocalPool};
use crate::cluster::objects::Wish;
use crate::error::{Error, Result};
use crate::volume::Condition;

/// A kind of wish, as a node fulfils it.
#[async_trait]
pub(super) trait Kind: Wish {
    /// What is made of it.
    type Made: Clone + Send + Sync;

    /// Returns what is wrong with the wish itself, whatever the pool holds.
    fn check(&self, pool: &LocalPool) -> Result<()>;

    /// Returns the ids that must not change while it is made, its own aside.
    fn sources(&self) -> Result<Vec<String>>;

    /// Returns what is in the pool under the id.
    async fn find(pool: &LocalPool, id: &Self::Id) -> Result<Option<Self::Made>>;

    /// Returns what is in the pool, made now or found as wished. The caller has the locks.
    async fn make(&self, pool: &LocalPool) -> Result<Self::Made>;

    /// Fails when what is in the pool under the id is something else than what is wished for.
    fn recognize(&self, found: &Self::Made) -> Result<()>;

    /// Returns whether what there is has to be changed to be as wished.
    fn needs_change(&self, found: &Self::Made) -> Result<bool>;

    /// Changes what there is to what is wished. What could be changed before an error stays changed. The caller has the
    /// lock.
    async fn change(&self, shared: &Shared, pool: &LocalPool, found: &Self::Made) -> Result<()>;

    /// Returns whether somebody on this node is known to use it, so that it cannot be removed.
    async fn is_held(_: &LocalPool, _: &Self::Id) -> bool {
        false
    }

    /// Succeeds when it is gone, whoever removed it. The caller has the lock.
    async fn remove(pool: &LocalPool, id: &Self::Id) -> Result<()>;

    /// Returns what is true of it.
    fn ready(made: &Self::Made, pool: Uuid) -> Self::Status;

    /// Returns those of the pool with which something is the matter, and what. It answers within two seconds.
    async fn unwell(_: &Shared, _: &LocalPool) -> Result<BTreeMap<Self::Id, Vec<Condition>>> {
        Ok(BTreeMap::new())
    }

    /// Returns whether it is among these.
    fn is_in(contents: &Contents, id: &Self::Id) -> bool;

    /// Returns the error of a wish for which there is no such pool here.
    fn elsewhere(reason: String) -> Error {
        Error::unfit(reason)
    }
}
