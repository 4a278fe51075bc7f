//! How many errors a caller was not told, because it would take them for the end of what it has.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The count of each role; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Masked(Family<Of, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    role: &'static str,
}

// === impl Masked ===

impl Masked {
    /// Has the counts shown with the registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Publishes of inline volumes that could not bring the content up to date, and were answered with OK";
        registry.register("inline_masked_errors", help, self.0.clone());
    }

    /// Begins to count for a role: from now on it is shown, with 0.
    pub fn begin(&self, role: &'static str) {
        drop(self.0.get_or_create(&Of { role }));
    }

    /// Counts an error, and returns how many there are now.
    pub fn count(&self, role: &'static str) -> u64 {
        self.0.get_or_create(&Of { role }).inc() + 1
    }

    /// Returns how many errors there are of the role.
    pub fn of(&self, role: &'static str) -> u64 {
        self.0.get_or_create(&Of { role }).get()
    }
}
