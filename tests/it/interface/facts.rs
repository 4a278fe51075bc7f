//! A document as a set of facts, one for each value in it, so that two documents can be compared
//! item by item whatever their order.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is said (`true`) of what (`messages/csi.v1.Volume/fields/volume_id/number`).
pub(super) type Facts = BTreeMap<String, String>;

/// Returns every fact of a document.
///
/// A list is a set here: its objects are known by their name, other items by themselves.
pub(super) fn facts(document: &Value) -> Facts {
    let mut facts = Facts::new();
    collect(&mut facts, "", document);
    facts
}

/// Returns a line for each fact that is missing, unexpected or different in `csi.proto`.
pub(super) fn differences(recorded: &Facts, compiled: &Facts) -> Vec<String> {
    let missing_or_different =
        recorded.iter().filter_map(|(what, said)| match compiled.get(what) {
            Some(found) if found == said => None,
            Some(found) => {
                Some(format!("different: {what}: {said} in the interface, here {found}"))
            }
            None => Some(format!("missing: {what}: {said}")),
        });
    let unexpected = compiled
        .iter()
        .filter(|(what, _)| !recorded.contains_key(*what))
        .map(|(what, found)| format!("unexpected: {what}: {found}"));
    missing_or_different.chain(unexpected).collect()
}

fn collect(facts: &mut Facts, path: &str, value: &Value) {
    match value {
        // What is absent is not a fact.
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members {
                collect(facts, &format!("{path}/{name}"), member);
            }
        }
        Value::Array(items) => {
            for item in items {
                match item.get("full_name").or(item.get("name")).and_then(Value::as_str) {
                    Some(name) => collect(facts, &format!("{path}/{name}"), item),
                    None => add(facts, format!("{path}/{item}"), "listed".to_owned()),
                }
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            add(facts, path.to_owned(), value.to_string());
        }
    }
}

fn add(facts: &mut Facts, what: String, said: String) {
    assert!(!facts.contains_key(&what), "{what} is there twice");
    facts.insert(what, said);
}

#[test]
fn differences_are_found_in_both_directions() {
    let recorded = facts(&serde_json::json!({
        "fields": [{"name": "a", "number": 1}, {"name": "b", "number": 2}],
        "reserved": [[2, 2]],
    }));
    let compiled = facts(&serde_json::json!({
        "fields": [{"name": "b", "number": 3, "csi_secret": true}, {"name": "a", "number": 1}],
        "parent": null,
        "oneofs": ["type"],
    }));
    assert_eq!(differences(&recorded, &recorded), [""; 0]);
    assert_eq!(
        differences(&recorded, &compiled),
        [
            "different: /fields/b/number: 2 in the interface, here 3",
            "missing: /reserved/[2,2]: listed",
            "unexpected: /fields/b/csi_secret: true",
            "unexpected: /oneofs/\"type\": listed",
        ]
    );
}
