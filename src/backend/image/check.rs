//! Verifies a pool on its disk: every file is accounted for, every record can be read, every image has its size.
//! And puts right what nobody else will: an orphan is adopted, or goes to the trash, when an admin says so.
//!
//! Without a driver this is the pool's one owner for as long as it looks. Beside a driver it changes nothing, and
//! believes only what it sees twice: what is being created or deleted in between is in nobody's way.

mod orphan;
mod repair;
mod sums;
mod walk;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

pub use repair::{Done, Repaired, Wish, repair};
pub use sums::Sums;

use super::error::Result;
use super::identity::Identity;
use super::place;
use super::settings::Settings;
use super::store::patiently;
use crate::sys::beneath::{Dir, DirLock};
use crate::sys::blocking;
use crate::volume::Name;

use orphan::Repair;
use walk::Walk;

/// How long after the first look beside a driver the second one is.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// A pool as it was found.
#[derive(Debug)]
pub struct Checked {
    /// Its directory.
    pub root: PathBuf,
    /// Whether nobody else could change it meanwhile.
    pub alone: bool,
    /// How many files are accounted for.
    pub files: usize,
    /// What all of it adds up to.
    pub sums: Sums,
    /// What is not as it should be, in the order of the places.
    pub faults: Vec<Fault>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How bad it is.
    pub grade: Grade,
    /// Where, below the pool's directory.
    pub place: PathBuf,
    /// What was found there, and what to do about it.
    pub found: String,
    /// What a repair would do.
    pub repair: Option<Repair>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// The driver deals with it by itself, or it is nobody's harm.
    Note,
    /// Nobody accounts for it.
    Orphan,
    /// A volume, a snapshot or the pool itself cannot be used as it is.
    Error,
}

/// The pool's directory, and its lock if no driver has it.
struct Ground {
    root: Dir,
    owner: Option<DirLock>,
}

/// Verifies the pool, or returns nothing when no driver has made it yet.
pub async fn check(settings: &Settings) -> crate::error::Result<Option<Checked>> {
    let Some(root) = find(settings).await? else { return Ok(None) };
    let settings = settings.clone();
    Ok(blocking(move || {
        let ground = Ground::enter(&root)?;
        ground.look(&settings, &[]).map(Some)
    })
    .await?)
}

/// Returns the pool's directory. Without a driver its own file system may not be mounted: then it is mounted as a
/// driver would, and stays so.
async fn find(settings: &Settings) -> Result<Option<PathBuf>> {
    if !place::is_made(settings).await? {
        return Ok(None);
    }
    match place::find(settings).await {
        Ok(root) => Ok(Some(root)),
        Err(_) => Ok(Some(place::prepare(settings, Identity::check).await?.root)),
    }
}

// === impl Ground ===

impl Ground {
    fn enter(root: &Path) -> Result<Self> {
        let root = Dir::open(root)?;
        let owner = patiently(|| root.try_lock())?;
        Ok(Self { root, owner })
    }

    /// Looks at everything; `names` are those that an orphan may have had.
    fn look(&self, settings: &Settings, names: &[Name]) -> Result<Checked> {
        let alone = self.owner.is_some();
        let walk = || Walk::over(&self.root, settings, alone, names);
        let mut checked = walk()?;
        if !alone && !checked.faults.is_empty() {
            sleep(BETWEEN_LOOKS);
            let before = checked;
            checked = walk()?;
            checked.faults.retain(|fault| before.faults.contains(fault));
        }
        Ok(checked)
    }
}

// === impl Checked ===

impl Checked {
    /// Says whether there is nothing that somebody has to see to.
    pub fn is_well(&self) -> bool {
        self.faults.iter().all(|fault| fault.grade == Grade::Note)
    }
}
