//! Each passage of docs/semantics.md is quoted, word for word, by the one test that shows it:
//!
//! ```text
//! /// > A volume has exactly the size that the answer says.
//! #[tokio::test]
//! async fn a_volume_is_what_was_asked() {
//! ```
//!
//! So whoever changes a passage has to look at its test, and whoever changes a test sees what it is there for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::page::{Page, one_line, root};

/// The suite that every backend must pass: its functions are tests wherever it is called.
const CONFORMANCE: &str = "tests/common/conformance.rs";

/// A function with passages in its doc comment.
struct Quoting {
    /// Its file and name.
    at: String,
    is_test: bool,
    quotes: Vec<String>,
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Returns every function of the file whose doc comment quotes something.
fn quoting(file: &str, text: &str) -> Vec<Quoting> {
    let (mut found, mut quotes, mut is_test) = (Vec::new(), Vec::<String>::new(), false);
    let mut goes_on = false;
    for line in text.lines().map(str::trim) {
        if let Some(part) = line.strip_prefix("/// > ") {
            match quotes.last_mut().filter(|_| goes_on) {
                Some(quote) => *quote = format!("{quote} {part}"),
                None => quotes.push(part.to_owned()),
            }
            goes_on = true;
            continue;
        }
        goes_on = false;
        if line.starts_with("#[") {
            is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        } else if !line.starts_with("///") {
            let name = line.split_once("fn ").map_or(line, |(_, rest)| rest);
            let name = name.split(['(', '<']).next().unwrap();
            let is_test = is_test || is_of_the_suite(file, text, name);
            if !quotes.is_empty() {
                let quotes = quotes.drain(..).map(|quote| one_line(&quote)).collect();
                found.push(Quoting { at: format!("{file}: {name}"), is_test, quotes });
            }
        }
        is_test &= line.starts_with("#[") || line.starts_with("///");
    }
    found
}

fn is_of_the_suite(file: &str, text: &str, name: &str) -> bool {
    file == CONFORMANCE && text.contains(&format!("    {name}(backend).await;"))
}

fn all() -> Vec<Quoting> {
    let mut paths = Vec::new();
    for dir in ["src", "tests"] {
        sources(&root().join(dir), &mut paths);
    }
    paths.sort();
    let each = paths.iter().flat_map(|path| {
        let file = path.strip_prefix(root()).unwrap().to_str().unwrap();
        quoting(file, &fs::read_to_string(path).unwrap())
    });
    each.collect()
}

#[test]
fn each_passage_is_quoted_by_one_test_and_nothing_else_is() {
    let page = Page::read("docs/semantics.md");
    let mut quoted_by: BTreeMap<&str, Vec<String>> =
        page.items.iter().map(|item| (item.as_str(), Vec::new())).collect();
    assert_eq!(quoted_by.len(), page.items.len(), "a passage is there twice");
    let mut wrong = Vec::new();
    for Quoting { at, is_test, quotes } in all() {
        if !is_test {
            wrong.push(format!("{at} quotes a passage but is no test"));
        }
        for quote in quotes {
            match quoted_by.get_mut(quote.as_str()) {
                Some(tests) => tests.push(at.clone()),
                None => {
                    wrong.push(format!("{at} quotes what docs/semantics.md does not say: {quote}"));
                }
            }
        }
    }
    for (passage, tests) in quoted_by.iter().filter(|(_, tests)| tests.len() != 1) {
        wrong.push(format!("quoted by {} tests, not one: {passage} {tests:?}", tests.len()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_quote_is_found_with_its_function() {
    // In pieces, so that this file does not quote itself.
    let text =
        ["What it is.", "", "> One", "> two.", "", "> Three."].map(|line| format!("/// {line}\n"));
    let text =
        format!("{}#[test]\nfn shows() {{}}\n\n/// > Four.\nfn helper() {{}}\n", text.concat());
    let found = quoting("x.rs", &text);
    let seen: Vec<_> =
        found.iter().map(|one| (one.at.as_str(), one.is_test, one.quotes.clone())).collect();
    let quotes = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        seen,
        [
            ("x.rs: shows", true, quotes(&["One two.", "Three."])),
            ("x.rs: helper", false, quotes(&["Four."])),
        ]
    );
}
