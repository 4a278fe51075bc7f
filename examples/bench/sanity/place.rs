//! The directories that a driver without a config uses, and those of csi-sanity, shown from the room.

use std::path::{Path, PathBuf};

use orlop::sys::mount::{MountOptions, bind};

use crate::driver::Result;
use crate::room::clear;

/// Where the driver has its pool and its socket, and where the suite has its mounts.
const SHOWN: [&str; 3] = ["/var/lib/orlop", "/run/orlop", "/tmp"];

/// Directories of the room, bound over those of the machine as this thread sees them.
#[derive(Debug)]
pub(crate) struct Place {
    /// Those that the machine did not have.
    made: Vec<PathBuf>,
}

// === impl Place ===

impl Place {
    pub(crate) fn make(room: &Path) -> Result<Self> {
        let mut place = Self { made: Vec::new() };
        for (number, shown) in SHOWN.into_iter().enumerate() {
            let (ours, shown) = (room.join(format!("shown-{number}")), Path::new(shown));
            std::fs::create_dir_all(&ours)?;
            if !shown.exists() {
                std::fs::create_dir(shown)?;
                place.made.push(shown.to_owned());
            }
            // The machine may have a pool there.
            clear(shown);
            bind(&ours, shown, &MountOptions::default())?;
        }
        Ok(place)
    }
}

impl Drop for Place {
    /// Leaves the machine's directories as they were.
    fn drop(&mut self) {
        for shown in SHOWN {
            clear(Path::new(shown));
        }
        for made in &self.made {
            drop(std::fs::remove_dir(made));
        }
    }
}
