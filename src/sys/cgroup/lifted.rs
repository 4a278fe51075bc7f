//! A device's limits, out of the way for a moment: what holds a device still must not wait for writes that the
//! limits hold up.

use super::{Group, Hierarchy, IoMax};
use crate::sys::Result;
use crate::sys::device::DeviceNumber;
use crate::sys::mountinfo::MountTable;

/// Limits that are lifted until this is dropped.
#[derive(Debug)]
#[must_use = "the limits hold again as soon as this is dropped"]
pub struct Lifted {
    device: DeviceNumber,
    groups: Vec<(Group, IoMax)>,
}

/// Lifts the limits that the device has in whatever group.
pub fn lift(device: DeviceNumber) -> Result<Lifted> {
    let mut lifted = Lifted { device, groups: Vec::new() };
    for hierarchy in Hierarchy::all(&MountTable::read()?) {
        let whole = hierarchy.whole();
        for group in whole.below().into_iter().chain([whole]) {
            let limits = group.limits(device)?;
            // A hierarchy that is mounted twice shows the same group again, without limits now.
            if !limits.is_none() {
                group.limit(device, IoMax::default())?;
                lifted.groups.push((group, limits));
            }
        }
    }
    Ok(lifted)
}

// === impl Lifted ===

impl Drop for Lifted {
    /// A group that went meanwhile needs no limit.
    fn drop(&mut self) {
        for (group, limits) in self.groups.drain(..).filter(|(group, _)| group.dir().exists()) {
            if let Err(failure) = group.limit(self.device, limits) {
                tracing::warn!(cause = %failure.source, "a limit is not back: {failure}");
            }
        }
    }
}
