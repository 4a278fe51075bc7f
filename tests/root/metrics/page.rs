//! docs/metrics.md and a real scrape say the same.

use std::collections::{BTreeMap, BTreeSet};

use super::scrape;
use crate::scrape::Family;

const PAGE: &str = include_str!("../../../docs/metrics.md");

/// What is said of a metric.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    kind: String,
    unit: String,
    labels: BTreeSet<String>,
}

/// Returns the rows of the page's table: what is said of each metric, and its meaning.
fn rows() -> BTreeMap<String, (Said, String)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `orlop_"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, unit, labels, meaning] = cells[..] else { panic!("{line}") };
        let labels = labels.split(", ").filter(|label| *label != "–");
        let said = Said {
            kind: kind.to_owned(),
            unit: unit.to_owned(),
            labels: labels.map(|label| label.trim_matches('`').to_owned()).collect(),
        };
        (name.trim_matches('`').to_owned(), (said, meaning.to_owned()))
    };
    rows.map(row).collect()
}

/// Returns the name that a query uses; a histogram has three, of which the page names the part they share.
fn name(family: &str, kind: &str) -> String {
    match kind {
        "counter" => format!("{family}_total"),
        "info" => format!("{family}_info"),
        _ => family.to_owned(),
    }
}

fn said(family: &Family) -> Said {
    Said {
        kind: family.kind.clone(),
        unit: family.unit.clone().unwrap_or_else(|| "–".to_owned()),
        labels: family.labels(),
    }
}

#[test]
fn the_page_has_each_metric_and_no_other() {
    let scrape = scrape();
    let mut rows = rows();
    for (family, found) in &scrape.families {
        let name = name(family, &found.kind);
        let (written, meaning) = rows.remove(&name).unwrap_or_else(|| panic!("no row for {name}"));
        assert_eq!(written, said(found), "{name}");
        let help = found.help.trim_end_matches('.');
        assert!(meaning.starts_with(help), "{name}: {help:?} is not how {meaning:?} begins");
    }
    assert!(rows.is_empty(), "no such metric: {rows:?}");
}
