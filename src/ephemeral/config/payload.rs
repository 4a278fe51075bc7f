//! What a volume is to show: files with their bytes and modes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use zeroize::Zeroizing;

use super::attributes::{FileMode, OnConflict};
use super::path::ContentPath;
use crate::error::{Error, Result};
use crate::volume::Bytes;

/// The most files of one volume.
const MOST_FILES: usize = 5_000;

/// What the smallest file takes of memory, and what all others are rounded up to.
const PAGE: u64 = 4096;

/// What a file takes beside its pages: its inode and names.
const PER_FILE: u64 = 1024;

/// The bytes of a file. They are overwritten in memory when they are dropped: any of them may be secret.
pub(super) type Content = Zeroizing<Vec<u8>>;

/// A file.
pub(super) struct File {
    /// Its bytes.
    pub content: Content,
    /// Its permissions.
    pub mode: FileMode,
    /// The source that it is of, counted from 0.
    source: usize,
}

/// All files of a volume, in the order of their paths.
#[derive(Default)]
pub(super) struct Payload(BTreeMap<ContentPath, File>);

// === impl Payload ===

impl Payload {
    /// Adds a file of a source.
    pub(super) fn add(
        &mut self,
        source: usize,
        path: ContentPath,
        content: Content,
        mode: FileMode,
        conflict: OnConflict,
    ) -> Result<()> {
        // One source that names a path twice means the later one, in Kubernetes, too.
        let same = self.0.get(&path).map(|file| file.source);
        if let Some(other) = same.filter(|other| *other != source && conflict == OnConflict::Refuse)
        {
            return Err(conflicting(&path, other, source));
        }
        if let Some((inner, other)) = self.around(&path) {
            return Err(conflicting(inner, other, source));
        }
        self.0.insert(path, File { content, mode, source });
        if self.0.len() > MOST_FILES {
            return Err(Error::unfit(format!("the volume has more than {MOST_FILES} files")));
        }
        Ok(())
    }

    /// Checks that other volumes can be mounted at these directories.
    pub(super) fn check_nested(&self, directories: &[ContentPath]) -> Result<()> {
        let tops: BTreeSet<&str> = self.tops().collect();
        match directories.iter().find(|directory| tops.contains(directory.top())) {
            Some(directory) => Err(Error::unfit(format!(
                "nestedDirs: {directory} lies where the volume has files: mount the other volume elsewhere"
            ))),
            None => Ok(()),
        }
    }

    /// Returns the files in the order of their paths.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ContentPath, &File)> {
        self.0.iter()
    }

    /// Returns the file of that path.
    pub(super) fn get(&self, path: &ContentPath) -> Option<&File> {
        self.0.get(path)
    }

    /// Returns the names in the volume's root, each once.
    pub(super) fn tops(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        self.0.keys().map(ContentPath::top).filter(move |top| last.replace(*top) != Some(*top))
    }

    /// Returns what it takes of memory.
    pub(super) fn takes(&self) -> Bytes {
        let of = |file: &File| {
            let bytes = u64::try_from(file.content.len()).unwrap_or(u64::MAX);
            bytes.div_ceil(PAGE).saturating_mul(PAGE).saturating_add(PER_FILE)
        };
        // A volume without any files is a mounted file system, too.
        Bytes(self.0.values().map(of).fold(PAGE, u64::saturating_add))
    }

    /// Returns a file that would have to be a directory for `path`, or that lies in what is to be the file `path`.
    fn around(&self, path: &ContentPath) -> Option<(&ContentPath, usize)> {
        let above = path.parents().find_map(|parent| {
            let parent: ContentPath = parent.parse().ok()?;
            self.0.get_key_value(&parent)
        });
        let inside = || {
            let first: ContentPath = format!("{path}/\u{1}").parse().ok()?;
            let next = self.0.range((Bound::Included(first), Bound::Unbounded)).next()?;
            next.0.parents().any(|parent| parent == path.as_str()).then_some(next)
        };
        above.or_else(inside).map(|(path, file)| (path, file.source))
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} files, redacted]", self.0.len())
    }
}

fn conflicting(path: &ContentPath, first: usize, second: usize) -> Error {
    Error::unfit(format!("conflicting duplicate paths: {path} (sources {first} and {second})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(payload: &mut Payload, source: usize, path: &str, conflict: OnConflict) -> Result<()> {
        let content = Zeroizing::new(source.to_string().into_bytes());
        payload.add(source, path.parse().unwrap(), content, FileMode::USUAL, conflict)
    }

    #[test]
    fn case_110_two_sources_of_one_path_conflict_unless_the_last_is_to_win() {
        let mut payload = Payload::default();
        add(&mut payload, 0, "a//b", OnConflict::Refuse).unwrap();
        let error = add(&mut payload, 2, "a/./b", OnConflict::Refuse).unwrap_err();
        assert_eq!(error.sentence(), "conflicting duplicate paths: a/b (sources 0 and 2)");
        add(&mut payload, 2, "a/b", OnConflict::Last).unwrap();
        let (_, file) = payload.iter().next().unwrap();
        assert_eq!(*file.content, b"2");
        // Within one source the later item wins.
        add(&mut payload, 2, "a/b", OnConflict::Refuse).unwrap();
    }

    #[test]
    fn case_111_a_file_that_another_needs_as_its_directory_conflicts_in_either_order() {
        for paths in [["a", "a/b"], ["a/b", "a"], ["a", "a/b/c"], ["a/b/c", "a"], ["a/b/c", "a/b"]]
        {
            let mut payload = Payload::default();
            add(&mut payload, 0, "a-", OnConflict::Last).unwrap();
            add(&mut payload, 0, "a.x", OnConflict::Last).unwrap();
            add(&mut payload, 0, paths[0], OnConflict::Last).unwrap();
            let error = add(&mut payload, 1, paths[1], OnConflict::Last).unwrap_err();
            let expected = format!("conflicting duplicate paths: {} (sources 0 and 1)", paths[0]);
            assert_eq!(error.sentence(), expected, "{paths:?}");
        }
    }

    #[test]
    fn a_volume_has_its_most_files_and_is_measured_in_pages() {
        let mut payload = Payload::default();
        for number in 0..MOST_FILES {
            add(&mut payload, 0, &number.to_string(), OnConflict::Refuse).unwrap();
        }
        assert_eq!(payload.takes(), Bytes(PAGE + 5_000 * (PAGE + PER_FILE)));
        let error = add(&mut payload, 0, "more", OnConflict::Refuse).unwrap_err();
        assert_eq!(error.sentence(), "the volume has more than 5000 files");
    }

    #[test]
    fn nested_directories_lie_beside_the_files() {
        let mut payload = Payload::default();
        add(&mut payload, 0, "a/b", OnConflict::Refuse).unwrap();
        payload.check_nested(&["c/d".parse().unwrap()]).unwrap();
        assert!(payload.check_nested(&["a/d".parse().unwrap()]).is_err());
        assert_eq!(payload.tops().collect::<Vec<_>>(), ["a"]);
    }
}
