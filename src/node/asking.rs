//! What the Node service asks of things that may hang.

use crate::sys::questions::Questions;
use crate::volume::VolumeId;

/// Where it is asked.
pub(super) type Asking = Questions<About>;

/// How many can hang at once: a fraction of the threads that all calls share.
pub(super) const MOST: usize = 16;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum About {
    /// How full a volume is.
    Usage(VolumeId),
    /// What is at the volume's paths.
    Paths(VolumeId),
}
