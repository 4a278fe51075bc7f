//! A pool of a node, as somebody sees it who has only wishes.

use std::sync::Arc;

use super::Shared;
use super::promises::Spoken;
use crate::backend::Pool;
use crate::cluster::objects::{Feature, Home};

/// A pool of a node.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) shared: Arc<Shared>,
    pub(super) home: Home,
    /// The room for the new volume that it was chosen for.
    pub(super) spoken: Option<Spoken>,
}

// === impl Remote ===

impl Remote {
    /// Returns the pool, as everybody may know it.
    pub(super) fn pool(shared: &Arc<Shared>, home: &Home, spoken: Option<Spoken>) -> Pool {
        let backend = Self { shared: Arc::clone(shared), home: home.clone(), spoken };
        Pool {
            name: home.pool.as_str().into(),
            node: home.node.as_str().into(),
            backend: Arc::new(backend),
        }
    }

    /// Returns whether the pool can do this. One that has not told, or whose object is gone, may have it.
    pub(super) fn may_have(&self, feature: Feature) -> bool {
        let pool = self.shared.pools.get(&self.home.object_name());
        let status = pool.as_ref().and_then(|pool| pool.status.as_ref());
        status.is_none_or(|status| status.has(feature))
    }
}
