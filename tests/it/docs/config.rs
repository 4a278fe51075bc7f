//! docs/config.md has every key that the parser takes and no other, and what it calls a default is one.

use std::collections::BTreeSet;
use std::path::Path;

use orlop::config::Config;

use super::page::{Page, literal};

const PAGE: &str = "docs/config.md";

/// The keys of the file whose default is no value that could be written.
const WITHOUT_LITERAL: [&str; 13] = [
    "nodeId",
    "attach",
    "programDirs",
    "metrics.address",
    "cluster.kubeconfig",
    "pools",
    "roles.volumes.endpoint",
    "roles.scratch.endpoint",
    "roles.scratch.path",
    "roles.scratch.maxSize",
    "roles.scratch.budget",
    "roles.config.endpoint",
    "roles.hostpath.endpoint",
];

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("x"), text).map_err(|mistake| mistake.to_string())
}

/// Writes a dotted key with its value as YAML.
fn entry(key: &str, value: &str) -> String {
    match key.split_once('.') {
        Some((section, rest)) => format!("{section}: {{{}}}", entry(rest, value)),
        None => format!("{key}: {value}"),
    }
}

/// Returns the keys that the parser names when it meets one that it does not know.
fn known_beside(text: &str) -> Option<Vec<String>> {
    let mistake = parse(text).unwrap_err();
    let (_, keys) = mistake.split_once("nonsense: is not a key here; there is: ")?;
    Some(keys.split(", ").map(str::to_owned).collect())
}

/// Returns the dotted keys that have a value, without those of `pools`.
fn keys(section: &str) -> BTreeSet<String> {
    let text = entry(&format!("{section}nonsense"), "1");
    let known = known_beside(&text).unwrap_or_else(|| panic!("{text}"));
    let dotted = known.into_iter().map(|key| format!("{section}{key}"));
    let below = |key: String| {
        if known_beside(&entry(&format!("{key}.nonsense"), "1")).is_some() {
            return keys(&format!("{key}."));
        }
        BTreeSet::from([key])
    };
    dotted.flat_map(below).collect()
}

/// Returns the code spans of the cells in a column.
fn column(rows: &[Vec<String>]) -> BTreeSet<String> {
    let spans = rows.iter().flat_map(|row| row[0].split(" and "));
    spans.map(|key| literal(key).unwrap_or_else(|| panic!("{key}")).to_owned()).collect()
}

#[test]
fn the_page_has_each_key_of_the_file_and_no_other() {
    let page = Page::read(PAGE);
    assert_eq!(column(page.table(&["key", "default", "means"])), keys(""));
}

#[test]
fn the_page_has_each_key_of_a_pool_and_no_other() {
    let page = Page::read(PAGE);
    let known = known_beside("pools: [{name: p, kind: image, nonsense: 1}]").unwrap();
    let rows = page.table(&["key of a pool", "default", "means"]);
    assert_eq!(column(rows), known.into_iter().collect());
}

#[test]
fn to_write_a_default_changes_nothing() {
    let page = Page::read(PAGE);
    let mut without = Vec::new();
    for row in page.table(&["key", "default", "means"]) {
        let key = literal(&row[0]).unwrap();
        match literal(&row[1]) {
            Some(value) => {
                assert_eq!(parse(&entry(key, value)).unwrap(), Config::default(), "{key}");
            }
            None => without.push(key),
        }
    }
    assert_eq!(without, WITHOUT_LITERAL);
    let (pool, mut count) = ("name: p, kind: image, path: /srv/p, provisioning: thin", 0);
    let plain = parse(&format!("pools: [{{{pool}}}]")).unwrap();
    for row in page.table(&["key of a pool", "default", "means"]) {
        if let (Some(key), Some(value)) = (literal(&row[0]), literal(&row[1])) {
            let written = parse(&format!("pools: [{{{pool}, {key}: {value}}}]"));
            assert_eq!(written.unwrap(), plain, "{key}");
            count += 1;
        }
    }
    assert!(count >= 4, "only {count} defaults of a pool were found");
}

#[test]
fn the_directories_of_programs_are_those_where_they_are_looked_for() {
    let page = Page::read(PAGE);
    let rows = page.table(&["key", "default", "means"]);
    let row = rows.iter().find(|row| row[0] == "`programDirs`").unwrap();
    let dirs: Vec<&str> = row[1].split(", ").map(|dir| literal(dir).unwrap()).collect();
    assert_eq!(dirs, orlop::tool::Programs::USUAL_DIRECTORIES);
}
