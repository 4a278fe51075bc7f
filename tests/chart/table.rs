//! The chart's README has its values as they are.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use crate::docs::Page;
use crate::helm::chart;
use crate::values::{documented, schema};

const BEGIN: &str = "<!-- tables: made from values.yaml and values.schema.json -->\n";

fn tables() -> String {
    let mut text = format!("{BEGIN}\n## Values\n\n| value | default | means |\n|---|---|---|\n");
    for one in documented() {
        writeln!(text, "| `{}` | `{}` | {} |", one.key, one.default, one.says).unwrap();
    }
    let schema = schema();
    for (name, title, of) in [
        ("pool", "A pool", "`pools`"),
        ("storageClass", "A StorageClass", "`storageClasses` of a pool"),
        ("hostPathPrefix", "A prefix", "`roles.hostpath.prefixes`"),
    ] {
        write!(text, "\n## {title}\n\nAn entry of {of}.\n\n| key | means |\n|---|---|\n").unwrap();
        let properties = schema["$defs"][name]["properties"].as_object().unwrap();
        for (key, property) in in_order(properties) {
            writeln!(text, "| `{key}` | {} |", property["description"].as_str().unwrap()).unwrap();
        }
    }
    text
}

/// Returns the properties with the name first.
fn in_order(properties: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let (mut first, others): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(key, _)| *key == "name");
    first.extend(others);
    first
}

#[test]
fn the_readme_has_each_value_as_it_is() {
    let path = chart().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (above, _) = readme.split_once(BEGIN).expect("there is no place for the tables");
    let expected = format!("{above}{}", tables());
    if std::env::var_os("ORLOP_WRITE").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let is_current = fs::read_to_string(&path).unwrap() == expected;
    assert!(is_current, "run `ORLOP_WRITE=1 make test-chart`, and look at the difference");
}

#[test]
fn a_pool_of_the_values_has_the_keys_of_one_of_the_config() {
    let page = Page::read("docs/config.md");
    let rows = page.table(&["key of a pool", "default", "means"]);
    let mut expected: Vec<String> = rows
        .iter()
        .flat_map(|row| row[0].split(" and "))
        .map(|key| key.trim_matches('`').to_owned())
        .filter(|key| key != "kind")
        .chain(["nodeSelector".to_owned(), "storageClasses".to_owned()])
        .collect();
    expected.sort();
    let schema = schema();
    let mut found: Vec<String> =
        schema["$defs"]["pool"]["properties"].as_object().unwrap().keys().cloned().collect();
    found.sort();
    assert_eq!(found, expected);
}
