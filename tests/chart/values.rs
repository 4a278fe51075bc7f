//! The values as their file has them: each with its comment.

use std::fs;

use serde_json::Value;

use crate::helm::chart;

/// A value: its dotted key, its default, and what is said of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Documented {
    pub(crate) key: String,
    pub(crate) default: String,
    pub(crate) says: String,
}

pub(crate) fn defaults() -> Value {
    serde_saphyr::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap()
}

pub(crate) fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json")).unwrap()).unwrap()
}

/// Returns each value that has a comment, in the order of the file.
pub(crate) fn documented() -> Vec<Documented> {
    let text = fs::read_to_string(chart().join("values.yaml")).unwrap();
    let defaults = defaults();
    let (mut found, mut comment, mut path) =
        (Vec::new(), Vec::new(), Vec::<(usize, String)>::new());
    for line in text.lines() {
        let plain = line.trim_start();
        if plain.is_empty() {
            comment.clear();
        } else if let Some(words) = plain.strip_prefix("# ") {
            comment.push(words);
        } else if let Some((key, _)) =
            plain.split_once(':').filter(|(key, _)| !key.contains(['-', ' ']))
        {
            let indent = line.len() - plain.len();
            path.retain(|(depth, _)| *depth < indent);
            path.push((indent, key.to_owned()));
            let keys: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
            if !comment.is_empty() {
                let pointer = format!("/{}", keys.join("/"));
                let default = defaults.pointer(&pointer).unwrap().to_string();
                found.push(Documented { key: keys.join("."), default, says: comment.join(" ") });
            }
            comment.clear();
        }
    }
    found
}

/// Returns the dotted keys of the values that the schema describes, down to what has no keys of its own.
fn keys(schema: &Value, of: &Value, prefix: &str, found: &mut Vec<String>) {
    let of = match of["$ref"].as_str() {
        Some(name) => schema.pointer(name.strip_prefix('#').unwrap()).unwrap(),
        None => of,
    };
    // What Kubernetes has a word for is one value.
    let is_one = ["resources"].iter().any(|one| prefix.ends_with(&format!("{one}.")));
    match of["properties"].as_object().filter(|_| !is_one) {
        Some(properties) => {
            for (key, inner) in properties {
                keys(schema, inner, &format!("{prefix}{key}."), found);
            }
        }
        None => found.push(prefix.trim_end_matches('.').to_owned()),
    }
}

#[test]
fn every_value_has_a_comment_and_a_type() {
    let schema = schema();
    let mut typed = Vec::new();
    keys(&schema, &schema, "", &mut typed);
    // Helm itself gives the one to every chart; the other is the usual condition of a chart that this one is a part of.
    typed.retain(|key| !["global", "enabled"].contains(&key.as_str()));
    typed.sort();
    let mut said: Vec<String> = documented().into_iter().map(|one| one.key).collect();
    said.sort();
    assert_eq!(said, typed);
}

#[test]
fn no_object_takes_keys_that_nobody_knows() {
    fn visit(path: &str, of: &Value) {
        if of["properties"].is_object() {
            assert_eq!(of["additionalProperties"], false, "{path}");
        }
        for (key, inner) in of.as_object().into_iter().flatten() {
            visit(&format!("{path}/{key}"), inner);
        }
    }
    visit("", &schema());
}
