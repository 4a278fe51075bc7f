//! docs/ephemeral.md names the tests of each case, and a case that has a test is not called open.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::page::Page;

const PAGE: &str = "docs/ephemeral.md";

/// How many cases the specification has.
const CASES: usize = 122;

/// Returns the names of all tests of cases, by their numbers.
fn tests() -> BTreeMap<usize, BTreeSet<String>> {
    let mut found: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for dir in ["src", "tests"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut found);
    }
    found
}

fn collect(dir: &Path, found: &mut BTreeMap<usize, BTreeSet<String>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for name in text.lines().filter_map(|line| line.trim().split_once("fn case_")) {
                let end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
                let name = name.1.split(end).next().unwrap();
                for number in numbers(name) {
                    found.entry(number).or_default().insert(format!("case_{name}"));
                }
            }
        }
    }
}

/// How many attacks the page has at least.
const ATTACKS: usize = 30;

/// Returns the names of all functions of the sources and the tests.
fn functions(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().filter_map(|line| line.trim().strip_prefix("fn "));
            let end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
            found.extend(lines.map(|line| line.split(end).next().unwrap().to_owned()));
        }
    }
}

#[test]
fn each_attack_is_listed_with_its_tests() {
    let page = Page::read(PAGE);
    let rows = page.table(&["#", "attack", "what stands in the way", "tried by"]);
    assert!(rows.len() >= ATTACKS, "{}", rows.len());
    let mut all = BTreeSet::new();
    for dir in ["src", "tests"] {
        functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut all);
    }
    let mut listed = BTreeSet::new();
    for (number, row) in (1..).zip(rows) {
        assert_eq!(row[0], number.to_string());
        let tests: Vec<&str> = row[3].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty() && !row[2].is_empty(), "attack {number}");
        for test in tests {
            assert!(all.contains(test), "attack {number}: there is no test {test}");
            assert!(listed.insert(test), "{test} is listed twice");
        }
    }
    let attacks = all.iter().filter(|name| name.starts_with("attack_"));
    let unlisted: Vec<_> = attacks.filter(|name| !listed.contains(name.as_str())).collect();
    assert!(unlisted.is_empty(), "{unlisted:?} are not listed");
}

/// Returns the numbers that a name begins with: `007_…`, `016_and_018_and_031_…`.
fn numbers(name: &str) -> Vec<usize> {
    let number = |part: &str| part.split('_').next().unwrap().parse().ok();
    name.split("_and_").map_while(number).collect()
}

#[test]
fn each_case_has_its_tests_or_says_where_it_is_shown() {
    let page = Page::read(PAGE);
    let rows = page.table(&["case", "what", "shown by"]);
    let mut tests = tests();
    assert_eq!(rows.len(), CASES);
    for (number, row) in (1..).zip(rows) {
        assert_eq!(row[0], number.to_string());
        let named: BTreeSet<String> =
            row[2].split('`').filter(|part| part.starts_with("case_")).map(str::to_owned).collect();
        assert_eq!(named, tests.remove(&number).unwrap_or_default(), "case {number}");
        assert!(!row[2].is_empty(), "case {number}");
    }
    assert!(tests.is_empty(), "{tests:?} are no cases");
}
