//! Inline hostPath: a part of the host, as far as the admin lets pods of a namespace have it.
//!
//! No path is looked up twice. The prefix is opened, everything below it is reached from there by the kernel, which
//! refuses whatever leads out, and what was reached is looked at, checked and mounted by its descriptor. Nothing of the
//! host is ever removed or changed.

mod denied;
mod places;
mod reach;
mod wish;

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use async_trait::async_trait;

use super::{InlineId, InlineVolume, Kept, Kind, Made};
use crate::error::{Error, Meaning, Result};
use crate::sys::Failure;
use crate::sys::beneath::{Dir, Follow};
use crate::sys::mount::{DetachedMount, MountOptions, Reach};
use crate::sys::mountinfo::Picture;
use crate::volume::{Condition, HostPathPrefix};

use denied::Denied;
use wish::Wish;

/// How often a look at the mounts is taken that changed while it was.
const LOOKS: u32 = 64;

/// What makes them.
#[derive(Debug)]
pub struct HostPath {
    prefixes: Vec<HostPathPrefix>,
    denied: Denied,
}

// === impl HostPath ===

impl HostPath {
    /// Returns what serves these prefixes, of which none may have to do with what is denied: whoever has that has the
    /// node. A prefix that is not there yet is looked at when a pod wants it.
    pub fn new(prefixes: Vec<HostPathPrefix>, denied: Vec<PathBuf>) -> Result<Self> {
        let denied = Denied::new(denied);
        for prefix in &prefixes {
            match Dir::open(&prefix.path) {
                Ok(dir) => denied.check(&dir)?,
                Err(why) if why.is_not_found() => {}
                Err(why) => return Err(Error::internal("look at a prefix of hostPath", why)),
            }
        }
        Ok(Self { prefixes, denied })
    }

    /// Opens the prefix. The admin may have put links on the way to it; but in a prefix, pods can.
    fn open(&self, wish: &Wish<'_>) -> Result<Dir> {
        let path = &wish.prefix.path;
        let around = self.prefixes.iter().map(|prefix| &prefix.path);
        let outermost = around.filter(|around| path.starts_with(around));
        let outermost = outermost.min_by_key(|around| around.as_os_str().len()).unwrap_or(path);
        let absent = |why: Failure| Error::Unfit {
            reason: format!("hostPath {} doesn't exist", wish.path.display()),
            source: Some(why.into()),
        };
        let outermost_dir = Dir::open(outermost).map_err(absent)?;
        match path.strip_prefix(outermost) {
            Ok(below) if !below.as_os_str().is_empty() => {
                let found = outermost_dir.reach(below, Follow::Nothing);
                found.and_then(Dir::of_opened).map_err(|why| reach::refused(path, why))
            }
            _ => Ok(outermost_dir),
        }
    }

    /// Opens what is wanted, and makes a mount of it.
    fn mount(&self, wish: &Wish<'_>) -> Result<DetachedMount> {
        let prefix = self.open(wish)?;
        self.denied.check(&prefix)?;
        let found = reach::reach(&prefix, wish)?;
        let kind = wish.checked(&found)?;
        let mut flags = vec!["nosuid".to_owned()];
        if !kind.is_device() {
            flags.push("nodev".to_owned());
        }
        let options = MountOptions { read_only: wish.read_only, flags };
        self.copied(&found, &options, if wish.recursive { Reach::Recursive } else { Reach::Alone })
    }

    /// Makes the mount. What is checked is what it shows: nothing was mounted between the one and the other.
    fn copied(
        &self,
        found: &OwnedFd,
        options: &MountOptions,
        reach: Reach,
    ) -> Result<DetachedMount> {
        let not_made = |why| Error::internal("make a part of the host visible to a pod", why);
        for _ in 0..LOOKS {
            let picture = Picture::take().map_err(not_made)?;
            self.denied.check_shown(found, reach, picture.table())?;
            let mount = DetachedMount::copy(found, options, reach).map_err(not_made)?;
            if picture.is_present().map_err(not_made)? {
                return Ok(mount);
            }
        }
        let sentence = "the mounts of this node change all the time; it is tried again".to_owned();
        Err(Error::Told { meaning: Meaning::Pending, sentence })
    }
}

#[async_trait]
impl Kind for HostPath {
    fn plan(&self, volume: &InlineVolume) -> Result<Kept> {
        Wish::read(volume, &self.prefixes)?;
        Ok(Kept::default())
    }

    async fn make(&self, volume: &InlineVolume, planned: Kept) -> Result<Made> {
        let wish = Wish::read(volume, &self.prefixes)?;
        Ok(Made { mount: self.mount(&wish)?, kept: planned })
    }

    /// What the pod has is the host's own.
    async fn again(&self, _: &InlineVolume, _: &Kept, _: OwnedFd) -> Result<()> {
        Ok(())
    }

    /// Nothing of the host is removed.
    async fn remove(&self, _: &InlineId, _: Option<&Kept>) -> Result<()> {
        Ok(())
    }

    fn recall(&self, _: &InlineId, _: &Kept) {}

    async fn all(&self) -> Result<Vec<InlineId>> {
        Ok(Vec::new())
    }

    fn health(&self, _: &InlineId) -> Vec<Condition> {
        Vec::new()
    }
}
