//! From the text of a file to its entries, with every mistake at its key and line.

use std::path::Path;

use serde_saphyr::{DefaultMessageFormatter, MessageFormatter};

use super::file::File;
use super::lines::Lines;
use super::mistake::{Mistake, Wrong};

/// Reads the entries. An empty file is one that says nothing.
pub(super) fn entries(path: &Path, text: &str, lines: &Lines) -> Result<File, Mistake> {
    let mut key = String::new();
    let outcome = serde_saphyr::with_deserializer_from_str(text, |yaml| {
        let read: Result<Option<File>, _> = serde_path_to_error::deserialize(yaml);
        read.map_err(|error| {
            key = error.path().to_string();
            error.into_inner()
        })
    });
    match outcome {
        Ok(file) => Ok(file.unwrap_or_default()),
        Err(error) => Err(mistake(path, &key, &error, lines)),
    }
}

fn mistake(path: &Path, key: &str, error: &serde_saphyr::Error, lines: &Lines) -> Mistake {
    let error = error.without_snippet();
    let (key, reason) = explain(key, error);
    let found = error.location().map(|at| at.line()).filter(|line| *line > 0);
    // The key's own line where it has one: a value that is missing or spans lines is reported at its end.
    let line = lines.line_of(&key).or(found);
    Mistake::at(path, line, Wrong::new(key, reason))
}

fn explain(key: &str, error: &serde_saphyr::Error) -> (String, String) {
    // Where the text is no YAML there is no key yet.
    let root = if matches!(key, "." | "?") { "" } else { key };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's errors are its own affair")]
    match error {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            (join(root, field), format!("is not a key here; there is: {}", expected.join(", ")))
        }
        serde_saphyr::Error::SerdeMissingField { field, .. } => {
            (join(root, field), "is required".to_owned())
        }
        serde_saphyr::Error::SerdeUnknownVariant { variant, expected, .. } => (
            root.to_owned(),
            format!("{variant:?} is not known here; there is: {}", expected.join(", ")),
        ),
        serde_saphyr::Error::Message { msg, .. } => (root.to_owned(), msg.clone()),
        other => (root.to_owned(), DefaultMessageFormatter.format_message(other).into_owned()),
    }
}

fn join(parent: &str, key: &str) -> String {
    // The path of an unknown key may or may not end with it already.
    if parent.is_empty() || parent == key || parent.ends_with(&format!(".{key}")) {
        return if parent.is_empty() { key.to_owned() } else { parent.to_owned() };
    }
    format!("{parent}.{key}")
}
