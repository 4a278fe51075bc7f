//! Whether the API server is heard: its absence is told once, and not with every try.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// The link to the API server.
#[derive(Debug, Default)]
pub(super) struct Link {
    lost: AtomicBool,
}

// === impl Link ===

impl Link {
    /// Notes that the API server has answered.
    pub(super) fn heard(&self) {
        if self.lost.swap(false, Ordering::Relaxed) {
            tracing::info!("the API server answers again");
        }
    }

    /// Notes that it did not.
    pub(super) fn lost(&self, why: &impl fmt::Display) {
        if self.lost.swap(true, Ordering::Relaxed) {
            tracing::debug!(%why, "the API server still does not answer");
        } else {
            tracing::warn!(%why, "the API server does not answer: volumes are served, wishes wait until it does");
        }
    }
}
