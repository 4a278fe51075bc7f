//! Looks at every file of a pool once, and says of each what it is there for.

mod groups;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::orphan::{self, Inside, Repair};
use super::sums::Sums;
use super::{Checked, Fault, Grade};
use crate::backend::image::error::Result;
use crate::backend::image::identity::Identity;
use crate::backend::image::layout::{self, Kept};
use crate::backend::image::pause::is_paused;
use crate::backend::image::record::{Flaw, Record, SnapshotRecord, VolumeRecord};
use crate::backend::image::scan::{self, Found};
use crate::backend::image::settings::{Provisioning, Settings};
use crate::backend::image::shelf::Entry;
use crate::backend::image::store::{allocated, is_file, look};
use crate::sys::beneath::{self, Dir};
use crate::volume::{Bytes, Name};

/// One walk through a pool.
pub(super) struct Walk<'a> {
    root: &'a Dir,
    settings: &'a Settings,
    alone: bool,
    names: &'a [Name],
    found: Checked,
}

impl<'a> Walk<'a> {
    /// Looks at everything in the pool.
    pub(super) fn over(
        root: &'a Dir,
        settings: &'a Settings,
        alone: bool,
        names: &'a [Name],
    ) -> Result<Checked> {
        let sums = Sums::of_disk(root, settings)?;
        let root_path = root.path().to_owned();
        let found = Checked { root: root_path, alone, files: 0, sums, faults: Vec::new() };
        let mut walk = Self { root, settings, alone, names, found };
        walk.identity();
        walk.top()?;
        walk.kept::<VolumeRecord>()?;
        walk.kept::<SnapshotRecord>()?;
        walk.groups()?;
        walk.left_over(layout::NEW)?;
        walk.left_over(layout::TRASH)?;
        walk.promise();
        walk.found.faults.sort_by(|a, b| a.place.cmp(&b.place));
        Ok(walk.found)
    }

    fn note(&mut self, place: impl Into<PathBuf>, found: impl Into<String>) {
        self.fault(Grade::Note, place, found, None);
    }

    fn error(&mut self, place: impl Into<PathBuf>, found: impl Into<String>) {
        self.fault(Grade::Error, place, found, None);
    }

    fn fault(
        &mut self,
        grade: Grade,
        place: impl Into<PathBuf>,
        found: impl Into<String>,
        repair: Option<Repair>,
    ) {
        let (place, found) = (place.into(), found.into());
        self.found.faults.push(Fault { grade, place, found, repair });
    }

    /// The pool says what it is, and that is what the config means.
    fn identity(&mut self) {
        let checked = match Identity::read(self.root) {
            Ok(Some(identity)) => identity.check(self.settings),
            Ok(None) => {
                let found = "is missing: restore it, because it says whose the pool is";
                return self.error(layout::POOL, found);
            }
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            self.error(layout::POOL, error.to_string());
        }
    }

    /// Everything at the top is the pool's own. What is not, may be anybody's: a repair leaves it alone.
    fn top(&mut self) -> Result<()> {
        let unfinished = beneath::temporary_of(OsStr::new(layout::POOL));
        for name in self.root.names()? {
            let is_ours =
                [layout::POOL, layout::BALLAST, layout::SPARE].iter().any(|ours| name == *ours);
            if is_ours || name == unfinished {
                self.found.files += 1;
            } else if !layout::DIRECTORIES.iter().any(|ours| name == *ours) {
                let found = "is nothing of a pool: move it away if it is yours";
                self.fault(Grade::Orphan, name, found, None);
            }
        }
        Ok(())
    }

    /// Every directory of this kind has an id, a record and an image that agree, and nothing else.
    fn kept<R: Record>(&mut self) -> Result<()> {
        let parent = self.root.open_dir(R::Id::PARENT)?;
        let Found { entries, strays, ceased, .. }: Found<R> = scan::all(&parent)?;
        for id in ceased {
            let place = Path::new(R::Id::PARENT).join(id.to_string());
            self.note(place, "is deleted: the driver removes it at its next start");
        }
        for (id, entry) in &entries {
            // What was deleted since it was listed is not there any more.
            if let Ok(dir) = parent.open_dir(id.to_string()) {
                self.entry::<R>(&dir, id, entry)?;
            } else if look(&parent, id.to_string())?.is_some() {
                self.stray::<R>(&parent, OsStr::new(&id.to_string()))?;
            }
        }
        for name in strays.iter().filter_map(|stray| stray.file.file_name()) {
            self.stray::<R>(&parent, name)?;
        }
        Ok(())
    }

    fn entry<R: Record>(&mut self, dir: &Dir, id: &R::Id, entry: &Entry<R>) -> Result<()> {
        let place = Path::new(R::Id::PARENT).join(id.to_string());
        match R::Id::PARENT {
            layout::SNAPSHOTS => self.found.sums.snapshots += 1,
            _ => self.found.sums.volumes += 1,
        }
        self.found.sums.promised = self.found.sums.promised.plus(entry.counted);
        self.inside::<R>(dir, &place)?;
        let image = place.join(layout::IMAGE);
        match &entry.record {
            Ok(record) => self.image(dir, image, record.size())?,
            Err(Flaw::Missing) => {
                let inside = Inside::of(dir)?;
                let repair = orphan::without_record::<R>(dir, id, &inside, self.names)?;
                let found = format!("has no record, and {inside}: {}", orphan::HOW);
                self.fault(Grade::Orphan, place, found, Some(repair));
            }
            Err(flaw) => {
                let advice = "put the record right or restore it; nothing is guessed or deleted";
                self.error(place.join(R::Id::RECORD), format!("{flaw}: {advice}"));
            }
        }
        Ok(())
    }

    /// Looks at the names in the directory of a volume or snapshot.
    fn inside<R: Record>(&mut self, dir: &Dir, place: &Path) -> Result<()> {
        let unfinished = beneath::temporary_of(OsStr::new(R::Id::RECORD));
        for name in dir.names()? {
            let at = place.join(&name);
            let is_map = R::Id::PARENT == layout::SNAPSHOTS
                && name == layout::EXTENTS
                && look(dir, &name)?.is_some_and(|stat| is_file(&stat));
            if name == layout::IMAGE || name == R::Id::RECORD || is_map {
                self.found.files += 1;
            } else if name == layout::FROZEN {
                self.found.files += 1;
                if self.alone {
                    self.error(at, "a copy was cut off here: start the driver, which thaws it");
                }
            } else if name == layout::PAUSED {
                self.found.files += 1;
                if self.alone && is_paused(dir)? {
                    self.note(at, "it is paused until the pool has room: start the driver, which sees to that");
                }
            } else if name == unfinished {
                self.found.files += 1;
                self.note(at, "a record that was being written: the next one replaces it");
            } else {
                let repair = Repair::trash(R::Id::PARENT, place.file_name(), name, Bytes::ZERO);
                let found = "is nothing that a pool keeps there";
                self.fault(Grade::Orphan, at, found, Some(repair));
            }
        }
        Ok(())
    }

    /// The image has the size that its record says.
    fn image(&mut self, dir: &Dir, place: PathBuf, recorded: Bytes) -> Result<()> {
        let stat = match look(dir, layout::IMAGE)? {
            None => {
                self.error(place, "is missing: the data is lost, unless you have a copy of it");
                return Ok(());
            }
            Some(stat) if !is_file(&stat) => {
                self.error(place, "is no regular file");
                return Ok(());
            }
            Some(stat) => stat,
        };
        let length = Bytes(stat.st_size.unsigned_abs());
        let allocated = allocated(&stat);
        self.found.sums.allocated = self.found.sums.allocated.plus(allocated);
        if length < recorded {
            let found = format!("has {length}, but its record says {recorded}: data is lost");
            self.error(place, found);
        } else if length > recorded {
            let found = format!(
                "has {length}, but its record says {recorded}: an expand that was not finished, \
                 which the next use of the volume takes back"
            );
            self.note(place, found);
        }
        Ok(())
    }

    /// What has no id has no business here, unless it is something whose name was changed.
    fn stray<R: Record>(&mut self, parent: &Dir, name: &OsStr) -> Result<()> {
        let repair = orphan::misnamed::<R>(parent, name)?;
        let place = Path::new(R::Id::PARENT).join(name);
        self.fault(Grade::Orphan, place, "has a name that is no id", Some(repair));
        Ok(())
    }

    /// What lies in `new/` and `trash/` is not real: the driver removes it.
    fn left_over(&mut self, directory: &str) -> Result<()> {
        let count = self.root.open_dir(directory)?.names()?.len();
        if count > 0 {
            let when = if self.alone { "at its next start" } else { "in the background" };
            let found = format!("holds {count} things that the driver removes {when}");
            self.note(directory, found);
        }
        Ok(())
    }

    /// The pool has not promised more than it may.
    fn promise(&mut self) {
        let Sums { promised, limit, .. } = self.found.sums;
        if promised <= limit {
            return;
        }
        let found = format!("{promised} are promised, and {limit} may be");
        match self.settings.provisioning {
            Provisioning::Thick => {
                self.error("", format!("{found}: volumes can run full before their size"));
            }
            Provisioning::Thin(_) => self.note("", format!("{found}: nothing new is created")),
        }
    }
}
