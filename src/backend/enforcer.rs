//! Who sees to it that what is kept with a volume also holds.

use std::fmt;

use async_trait::async_trait;

use crate::volume::VolumeId;

/// Whoever sees to it that limits hold where a volume is used.
#[async_trait]
pub trait Enforcer: fmt::Debug + Send + Sync {
    /// Lets the volume's new limits hold from now on. The caller has the volume's lock. What cannot be done now is
    /// done as soon as it can be: the limits are the volume's whether they are enforced or not.
    async fn limits_changed(&self, id: &VolumeId);

    /// Returns the volumes, sorted by id, whose limits do not hold although they are in use, each with the reason.
    /// Asks nobody and waits for nothing.
    fn unenforced(&self) -> Vec<(VolumeId, String)>;
}
