//! Where a file lies in a volume: relative, cleaned, and never out of it.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};

/// The longest path, which is the kernel's.
const MOST: usize = 4096;

/// The longest name between two slashes, which is that of every file system.
const MOST_OF_NAME: usize = 255;

/// A relative path of plain names. The first never begins with `..`: such names are the writer's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ContentPath(String);

/// Why a text is no such path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no path in a volume: {0}")]
pub(super) struct NotAPath(&'static str);

// === impl ContentPath ===

impl ContentPath {
    /// Returns the path as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the names from the first to the last.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the first name, which is the one that stands in the volume's root.
    pub(super) fn top(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(top, _)| top)
    }

    /// Returns the directory that the file lies in, or nothing where that is the root, and the last name.
    pub(super) fn split(&self) -> (Option<&str>, &str) {
        self.0.rsplit_once('/').map_or((None, &self.0), |(dir, name)| (Some(dir), name))
    }

    /// Returns all directories above it, the nearest first, without the root.
    pub(super) fn parents(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            rest = rest.rsplit_once('/')?.0;
            Some(rest)
        })
    }
}

impl FromStr for ContentPath {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        cleaned(text).map(Self).map_err(NotAPath)
    }
}

fn cleaned(text: &str) -> Result<String, &'static str> {
    if text.starts_with('/') {
        return Err("it must be relative");
    }
    if text.len() > MOST {
        return Err("it is longer than 4096 bytes");
    }
    if text.contains('\0') {
        return Err("it has a zero byte");
    }
    let names: Vec<&str> = text.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    match names.first() {
        None => return Err("it names no file"),
        Some(first) if first.starts_with("..") => return Err("it must not begin with '..'"),
        Some(_) => {}
    }
    if names.contains(&"..") {
        return Err("it must not contain '..'");
    }
    if names.iter().any(|name| name.len() > MOST_OF_NAME) {
        return Err("a name in it is longer than 255 bytes");
    }
    Ok(names.join("/"))
}

impl<'de> Deserialize<'de> for ContentPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for ContentPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_084_only_plain_relative_paths_are_paths() {
        let long_name = "n".repeat(256);
        let long_path = format!("{}x", "a/".repeat(2048));
        assert_eq!(long_path.len(), 4097);
        for wrong in
            ["..x", "../x", "/x", "a/../b", "", ".", "./", "..", "a\0b", &long_name, &long_path]
        {
            assert!(wrong.parse::<ContentPath>().is_err(), "{wrong:?}");
        }
        for (text, clean) in
            [("a", "a"), ("a//b", "a/b"), ("a/./b/", "a/b"), (".x", ".x"), ("a/..b", "a/..b")]
        {
            assert_eq!(text.parse::<ContentPath>().unwrap().as_str(), clean);
        }
        let longest = "n".repeat(255);
        assert!(longest.parse::<ContentPath>().is_ok());
    }

    #[test]
    fn a_path_knows_its_directories() {
        let path: ContentPath = "a/b/c".parse().unwrap();
        assert_eq!(path.top(), "a");
        assert_eq!(path.split(), (Some("a/b"), "c"));
        assert_eq!(path.parents().collect::<Vec<_>>(), ["a/b", "a"]);
        let plain: ContentPath = "c".parse().unwrap();
        assert_eq!((plain.top(), plain.split()), ("c", (None, "c")));
        assert_eq!(plain.parents().count(), 0);
    }
}
