//! Names that an admin may choose, and what is called after them.

use serde_json::{Value, json};

use crate::helm::{Objects, everything, helm};

/// Renders everything as a release of this name, in the namespace `456`.
fn named(release: &str, values: &Value) -> Objects {
    let output = helm(&["template", release, "--namespace", "456"], values);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{release}: {said}");
    Objects::parse(&String::from_utf8(output.stdout).unwrap())
}

/// Asserts that what has to be a text is none of YAML's numbers.
fn has_texts(of: &Value, at: &str) {
    for (key, value) in of.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        if ["name", "namespace", "storageClassName", "policyName"].contains(&key.as_str()) {
            // The definitions of custom resources have properties of these names.
            assert!(value.is_string() || value.is_object(), "{at}: {value}");
        }
        if ["labels", "matchLabels", "nodeSelector"].contains(&key.as_str()) {
            let all = value.as_object().into_iter().flatten();
            assert!(all.clone().all(|(_, value)| value.is_string()), "{at}: {value}");
        }
        has_texts(value, &at);
    }
    for (index, value) in of.as_array().into_iter().flatten().enumerate() {
        has_texts(value, &format!("{at}[{index}]"));
    }
}

/// Returns whether an object can have this name.
fn is_subdomain(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(is_part)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[test]
fn numbers_are_names_too() {
    let mut values = everything();
    values["nameOverride"] = json!("1");
    values["pools"][1]["storageClasses"][0]["name"] = json!("7");
    values["volumeAttributesClasses"][0]["name"] = json!("1e3");
    let objects = named("123", &values);
    for object in &objects.0 {
        has_texts(object, object["kind"].as_str().unwrap());
    }
    assert_eq!(objects.names("NetworkPolicy"), ["123"]);
    assert_eq!(objects.names("Namespace"), ["456"]);
}

#[test]
fn whatever_the_release_is_called_its_objects_can_be() {
    let long = "a".repeat(33);
    let (dot, dashes) = (format!("{long}.b"), format!("{}---b", &long[1..]));
    for release in ["orlop.v1", "1.2", &dot, &dashes] {
        let objects = named(release, &everything());
        for object in &objects.0 {
            let name = object["metadata"]["name"].as_str().unwrap();
            assert!(is_subdomain(name), "{release}: {}: {name}", object["kind"]);
        }
        for name in objects.names("Service") {
            assert!(!name.contains('.') && name.starts_with(|c: char| c.is_ascii_lowercase()));
            assert!(name.len() <= 63, "{name}");
        }
    }
}
