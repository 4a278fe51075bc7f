//! Where each volume's device was a moment ago: there it is looked for first.
//!
//! A search asks every loop device that has a file, and a volume's life has several. Nothing is believed here: whether
//! the device has the image still is asked of the kernel, and what is not where it was is searched for.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::uses::{self, Use};
use crate::sys::Result;
use crate::sys::loopdev::{self, Backing, LoopDevice};
use crate::volume::VolumeId;

/// The devices by volume.
#[derive(Debug, Default)]
pub(super) struct LastSeen(Mutex<HashMap<VolumeId, LoopDevice>>);

// === impl LastSeen ===

impl LastSeen {
    /// Keeps in mind where the volume's image is attached.
    pub(super) fn note(&self, id: &VolumeId, device: &LoopDevice) {
        self.lock().insert(id.clone(), device.clone());
    }

    /// Returns the device that the volume's image is.
    pub(super) fn device_of(&self, id: &VolumeId, image: &File) -> Result<Option<LoopDevice>> {
        if let Some(device) = self.get(id)
            && loopdev::has(&device, &Backing::of(image)?)?
        {
            return Ok(Some(device));
        }
        let found = uses::device_of(image)?;
        match &found {
            Some(device) => self.note(id, device),
            // It has become free by itself, with its last user.
            None => self.forget(id).iter().for_each(mend),
        }
        Ok(found)
    }

    /// Returns how the volume's image is used, or nothing when it is no device.
    pub(super) fn use_of(&self, id: &VolumeId, image: &File) -> Result<Option<Use>> {
        match self.device_of(id, image)? {
            Some(device) => uses::of_device(device),
            None => Ok(None),
        }
    }

    fn get(&self, id: &VolumeId) -> Option<LoopDevice> {
        self.lock().get(id).cloned()
    }

    fn forget(&self, id: &VolumeId) -> Option<LoopDevice> {
        self.lock().remove(id)
    }

    /// The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<VolumeId, LoopDevice>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the device be like any other for whoever gets it next.
fn mend(device: &LoopDevice) {
    if let Err(failure) = loopdev::mend(device) {
        tracing::warn!(%device, cause = %failure.source, "{failure}");
    }
}
