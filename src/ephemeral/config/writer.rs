//! Writes the files of a volume so that whoever reads them sees all of the old or all of the new.
//!
//! What is seen is what Kubernetes' own volumes show: the files lie in a directory with the time in its name, the
//! link `..data` says which, and one link in the root for each file or directory leads through it. A change is one
//! rename of that link. Everything is reached by descriptors and single names; nothing that is found in the volume is
//! believed, though nobody but the driver can write there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::File as Opened;
use std::io::Read;

use rustix::io::Errno;

use super::path::ContentPath;
use super::payload::{Content, File, Payload};
use crate::sys::beneath::{Access, Dir};
use crate::sys::{Failure, Result};
use crate::volume::Timestamp;

/// The link that says which directory has the files.
const DATA: &str = "..data";

/// The link before it takes the place of the old one.
const NEW_DATA: &str = "..data_tmp";

/// The mode of every directory.
const DIRECTORY: u32 = 0o755;

/// What a directory gets for the pod's group: it may list it, and what is made in it is the group's.
const GROUP_OF_DIRECTORY: u32 = 0o2550;

/// What a file gets for the pod's group, and its owner with it.
const GROUP_OF_FILE: u32 = 0o440;

/// What became of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// They were the same already.
    Unchanged,
    /// They are new.
    Written,
}

/// Writes one volume.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer<'a> {
    root: &'a Dir,
    group: Option<u32>,
}

// === impl Writer ===

impl<'a> Writer<'a> {
    /// Returns the writer of the volume with this root; its files are the group's.
    pub(super) fn new(root: &'a Dir, group: Option<u32>) -> Self {
        Self { root, group }
    }

    /// Sets who may do what with the root, and makes the directories at which others are mounted.
    pub(super) fn prepare(self, mode: u32, nested: &[ContentPath]) -> Result<()> {
        self.root.give(self.of_directory(mode))?;
        for path in nested {
            self.directory(self.root, path.names())?;
        }
        Ok(())
    }

    /// Makes these files those of the volume. A failure before the change leaves the old ones as they were.
    pub(super) fn write(self, payload: &Payload) -> Result<Outcome> {
        let current = self.current()?;
        self.sweep(current.as_deref())?;
        if let Some(current) = &current
            && self.is_same(current, payload)?
        {
            self.link(payload.tops())?;
            return Ok(Outcome::Unchanged);
        }
        let made = self.make(payload)?;
        if let Err(failure) = self.switch(&made) {
            self.discard(&made);
            return Err(failure);
        }
        self.link(payload.tops())?;
        self.unlink(payload)?;
        if let Some(current) = current {
            self.root.remove_tree(current)?;
        }
        Ok(Outcome::Written)
    }

    /// Returns the name of the directory that has the files, if there is one that is ours.
    fn current(self) -> Result<Option<OsString>> {
        let Some(name) = self.root.read_link(DATA)? else { return Ok(None) };
        Ok(if is_of_time(&name) && self.root.exists(&name)? { Some(name) } else { None })
    }

    /// Removes what a write that was cut short has left.
    fn sweep(self, current: Option<&OsStr>) -> Result<()> {
        self.root.remove_file(NEW_DATA)?;
        for name in self.root.names()? {
            if is_of_time(&name) && Some(&*name) != current {
                self.root.remove_tree(&name)?;
            }
        }
        Ok(())
    }

    /// Says whether the directory has these files with this content, and no others.
    fn is_same(self, current: &OsStr, payload: &Payload) -> Result<bool> {
        let top = self.root.open_dir(current)?;
        let mut found = 0;
        for path in files(&top)? {
            let Some(file) = path.parse().ok().and_then(|path| payload.get(&path)) else {
                return Ok(false);
            };
            found += 1;
            if !has(&top, &path, &file.content)? {
                return Ok(false);
            }
        }
        Ok(found == payload.iter().count())
    }

    /// Makes a directory with the files, and returns its name.
    fn make(self, payload: &Payload) -> Result<String> {
        let name = name_of_now();
        let top = self.root.create_dir_for(&name, self.of_directory(DIRECTORY))?;
        if let Err(failure) = self.fill(&top, payload) {
            self.discard(&name);
            return Err(failure);
        }
        Ok(name)
    }

    fn fill(self, top: &Dir, payload: &Payload) -> Result<()> {
        let mut open: BTreeMap<&str, Dir> = BTreeMap::new();
        for (path, file) in payload.iter() {
            let (parent, name) = path.split();
            let Some(parent) = parent else {
                top.create_file(name, &file.content, self.of_file(file))?;
                continue;
            };
            if !open.contains_key(parent) {
                // The files come in the order of their paths: those of one directory mostly one after the other.
                open.clear();
                open.insert(parent, self.directory(top, parent.split('/'))?);
            }
            if let Some(dir) = open.get(parent) {
                dir.create_file(name, &file.content, self.of_file(file))?;
            }
        }
        Ok(())
    }

    /// Makes the directory that these names lead to, and those on the way.
    fn directory<'n>(self, from: &Dir, names: impl Iterator<Item = &'n str>) -> Result<Dir> {
        let mut dir = from.duplicate()?;
        for name in names {
            dir = dir.ensure_dir_for(name, self.of_directory(DIRECTORY))?;
        }
        Ok(dir)
    }

    /// Lets the files of this directory be those of the volume: the one step at which all changes.
    fn switch(self, name: &str) -> Result<()> {
        self.root.create_link(NEW_DATA, name, self.group)?;
        self.root.rename_over(NEW_DATA, DATA)
    }

    /// Returns the content of a file that is shown.
    pub(super) fn read(self, path: &ContentPath) -> Result<Content> {
        let data = self.current()?.ok_or_else(|| Failure::new("find ..data", Errno::NOENT))?;
        let mut file = Opened::from(self.root.open_dir(data)?.open_deep(path.as_str())?);
        let failed = |source| Failure::new(format!("read {path}"), source);
        let length = file.metadata().map_err(failed)?.len();
        // With room for all of it at once: what grows leaves copies behind.
        let mut content =
            Content::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
        file.read_to_end(&mut content).map_err(failed)?;
        Ok(content)
    }

    /// Makes the links of the root that are missing, or that say something else.
    pub(super) fn link<'n>(self, tops: impl Iterator<Item = &'n str>) -> Result<()> {
        for top in tops {
            let says = OsString::from(format!("{DATA}/{top}"));
            match self.root.read_link(top)? {
                Some(found) if found == says => {}
                None => self.root.create_link(top, says, self.group)?,
                Some(_) => {
                    self.root.remove_file(top)?;
                    self.root.create_link(top, says, self.group)?;
                }
            }
        }
        Ok(())
    }

    /// Removes the links of the root that lead to nothing any more.
    fn unlink(self, payload: &Payload) -> Result<()> {
        let wanted: BTreeSet<&str> = payload.tops().collect();
        for name in self.root.names()? {
            let is_wanted = name.to_str().is_some_and(|name| wanted.contains(name));
            // The others are directories at which something is mounted.
            if !is_wanted && name != DATA && self.root.is_link(&name)? {
                self.root.remove_file(&name)?;
            }
        }
        Ok(())
    }

    /// Removes what was not finished. It stays until the next write where not even that can be done.
    fn discard(self, name: &str) {
        for removed in [self.root.remove_file(NEW_DATA), self.root.remove_tree(name)] {
            if let Err(failure) = removed {
                tracing::debug!(cause = %failure.source, "{failure}");
            }
        }
    }

    fn of_directory(self, mode: u32) -> Access {
        let added = self.group.map_or(0, |_| GROUP_OF_DIRECTORY);
        Access { mode: mode | added, group: self.group }
    }

    fn of_file(self, file: &File) -> Access {
        let added = self.group.map_or(0, |_| GROUP_OF_FILE);
        Access { mode: file.mode.bits() | added, group: self.group }
    }
}

/// Returns the paths of all files below the directory.
fn files(top: &Dir) -> Result<Vec<String>> {
    let mut all = Vec::new();
    let mut left = vec![(String::new(), top.duplicate()?)];
    while let Some((above, dir)) = left.pop() {
        for name in dir.names()? {
            // Names that are no UTF-8 are not ours, and no path of the payload.
            let path = format!("{above}{}", name.to_string_lossy());
            match dir.open_dir(&name) {
                Ok(inner) => left.push((format!("{path}/"), inner)),
                Err(failure) if failure.errno() == Some(Errno::NOTDIR) => all.push(path),
                Err(failure) if failure.errno() == Some(Errno::LOOP) => all.push(path),
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(all)
}

/// Says whether the file has this content.
fn has(top: &Dir, path: &str, content: &[u8]) -> Result<bool> {
    let opened = match top.open_deep(path) {
        Ok(opened) => opened,
        Err(failure) if failure.errno() == Some(Errno::LOOP) => return Ok(false),
        Err(failure) => return Err(failure),
    };
    let mut file = Opened::from(opened);
    let failed = |source| Failure::new(format!("read {path}"), source);
    if file.metadata().map_err(failed)?.len() != u64::try_from(content.len()).unwrap_or(u64::MAX) {
        return Ok(false);
    }
    let mut buffer = zeroize::Zeroizing::new([0; 8192]);
    let mut rest = content;
    loop {
        let read = file.read(&mut *buffer).map_err(failed)?;
        let same = rest.split_at_checked(read);
        match same {
            _ if read == 0 => return Ok(rest.is_empty()),
            Some((begin, after)) if buffer.get(..read) == Some(begin) => rest = after,
            Some(_) | None => return Ok(false),
        }
    }
}

/// Returns the name of a directory made now, such as `..2026_11_26_12_44_30.4113926617`.
fn name_of_now() -> String {
    let now = Timestamp::now().to_csi().to_string();
    let seconds = now.get(..19).unwrap_or(&now).replace(['-', 'T', ':'], "_");
    let random = uuid::Uuid::new_v4().as_u128() % 10_000_000_000;
    format!("..{seconds}.{random}")
}

/// Says whether the name is one of a directory of the writer: `..YYYY_MM_DD_HH_MM_SS.random`.
fn is_of_time(name: &OsStr) -> bool {
    let parsed = name.to_str().and_then(|name| name.strip_prefix("..")?.split_once('.'));
    let Some((time, random)) = parsed else { return false };
    let widths = [4, 2, 2, 2, 2, 2];
    let numbers: Vec<&str> = time.split('_').collect();
    numbers.len() == widths.len()
        && numbers
            .iter()
            .zip(widths)
            .all(|(number, width)| number.len() == width && is_digits(number))
        && is_digits(random)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
