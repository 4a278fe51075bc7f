//! A path in a request: absolute and plain, or a mistake of the caller.

use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};

/// Reads a required path.
pub(super) fn required(field: &'static str, text: &str) -> Result<PathBuf> {
    if text.is_empty() {
        return Err(Error::invalid(field, "is required"));
    }
    if text.contains('\0') {
        return Err(Error::invalid(field, "holds a NUL byte"));
    }
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(Error::invalid(field, format!("{text:?} is relative; give an absolute path")));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(Error::invalid(field, format!("{text:?} climbs with `..`; give a plain path")));
    }
    if path.parent().is_none() {
        return Err(Error::invalid(field, "is the root directory, which is no place for a volume"));
    }
    // Collected again, so that `/a//b/` and `/a/b` are the same path.
    Ok(path.components().collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_plain() {
        for (text, expected) in [
            ("/a/b", Some("/a/b")),
            ("/a//b/./", Some("/a/b")),
            ("", None),
            ("some/path", None),
            ("/a/../b", None),
            ("/a\0b", None),
            ("/", None),
            ("//", None),
        ] {
            let path = required("target_path", text).ok();
            assert_eq!(path.as_deref(), expected.map(Path::new), "{text:?}");
        }
    }
}
