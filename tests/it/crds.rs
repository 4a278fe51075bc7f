//! The definitions of the custom resources, as `orlop crds` prints them.

use orlop::cluster::objects::crds;
use serde_json::{Value, json};

use crate::process::program::Process;

/// Returns the documents that the verb prints.
fn printed() -> Vec<Value> {
    let ended = Process::start(&["crds"], &[]).end();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let documents = ended.stdout.strip_prefix("---\n").unwrap().split("\n---\n");
    documents.map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// Returns the only version of the kind.
fn version<'a>(all: &'a [Value], kind: &str) -> &'a Value {
    let one = all.iter().find(|one| one["spec"]["names"]["kind"] == kind).unwrap();
    assert_eq!(one["spec"]["versions"].as_array().unwrap().len(), 1);
    &one["spec"]["versions"][0]
}

fn schema<'a>(all: &'a [Value], kind: &str) -> &'a Value {
    &version(all, kind)["schema"]["openAPIV3Schema"]
}

fn rules(of: &Value) -> Vec<&str> {
    let rules = of["x-kubernetes-validations"].as_array().unwrap();
    rules.iter().map(|rule| rule["rule"].as_str().unwrap()).collect()
}

/// Calls the function for the schema and for each that is in it.
fn visit(path: &str, schema: &Value, each: &mut impl FnMut(&str, &Value)) {
    each(path, schema);
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        visit(&format!("{path}.{key}"), inner, each);
    }
    if let Some(items) = schema.get("items") {
        visit(&format!("{path}[]"), items, each);
    }
}

#[test]
fn what_is_printed_is_what_the_driver_speaks() {
    let expected: Vec<Value> =
        crds().iter().map(|one| serde_json::to_value(one).unwrap()).collect();
    let found = printed();
    assert_eq!(found.len(), 4);
    assert_eq!(found, expected);
    for (one, (kind, plural, short)) in found.iter().zip([
        ("Volume", "volumes", "ovol"),
        ("Snapshot", "snapshots", "osnap"),
        ("GroupSnapshot", "groupsnapshots", "ogsnap"),
        ("Pool", "pools", "opool"),
    ]) {
        assert_eq!(one["apiVersion"], "apiextensions.k8s.io/v1");
        assert_eq!(one["metadata"]["name"], format!("{plural}.orlop.dev"));
        assert_eq!(one["spec"]["scope"], "Cluster");
        assert_eq!(one["spec"]["names"]["kind"], kind);
        assert_eq!(one["spec"]["names"]["shortNames"], json!([short]));
        assert_eq!(one["spec"]["names"]["categories"], json!(["orlop"]));
    }
}

#[test]
fn the_manifest_is_what_is_printed() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/cluster/crds.yaml");
    let printed = Process::start(&["crds"], &[]).end().stdout;
    let is_current = std::fs::read_to_string(file).unwrap() == printed;
    assert!(is_current, "run `orlop crds > deploy/cluster/crds.yaml`");
}

#[test]
fn every_key_has_a_type_a_bound_and_a_description() {
    let all = printed();
    for kind in ["Volume", "Snapshot", "GroupSnapshot", "Pool"] {
        let mut seen = 0;
        visit(kind, schema(&all, kind), &mut |path, schema| {
            seen += 1;
            let has = |key: &str| schema.get(key).is_some();
            // Only such a schema is structural, and only then does the server prune what is not known.
            for banned in ["anyOf", "oneOf", "allOf", "not", "$ref", "additionalProperties"] {
                assert!(!has(banned), "{path} has {banned}");
            }
            assert!(!has("nullable"), "{path}: null would be a second way to say nothing");
            match schema["type"].as_str().unwrap_or_else(|| panic!("{path} has no type")) {
                "object" => assert!(has("properties"), "{path}"),
                "array" => assert!(has("items") && has("maxItems"), "{path}"),
                "string" => assert!(has("enum") || has("maxLength"), "{path}"),
                "integer" => {
                    assert!(
                        ["int32", "int64"].map(Value::from).contains(&schema["format"]),
                        "{path}"
                    );
                    assert!(has("minimum") || path.ends_with("observedGeneration"), "{path}");
                }
                other => assert_eq!(other, "boolean", "{path}"),
            }
            let is_text = schema["type"] == "string" && path.ends_with("[]");
            assert!(has("description") || is_text, "{path} is not described");
        });
        assert!(seen > 10, "{kind} has {seen} keys");
    }
}

#[test]
fn a_node_watches_its_own_objects_alone() {
    let all = printed();
    for kind in ["Volume", "Snapshot", "GroupSnapshot", "Pool"] {
        let version = version(&all, kind);
        let fields = json!([{"jsonPath": ".spec.node"}, {"jsonPath": ".spec.pool"}]);
        assert_eq!(version["selectableFields"], fields, "{kind}");
        assert_eq!(version["subresources"], json!({"status": {}}), "{kind}");
        assert_eq!((&version["served"], &version["storage"]), (&json!(true), &json!(true)));
    }
}

#[test]
fn what_a_thing_is_cannot_be_changed() {
    let all = printed();
    for (kind, wishes) in [
        ("Volume", &["bytes", "limits", "attachments", "delete", "requires"][..]),
        ("Snapshot", &["delete", "requires"]),
        ("GroupSnapshot", &["delete", "requires"]),
        ("Pool", &["cordoned"]),
    ] {
        let spec = &schema(&all, kind)["properties"]["spec"];
        let rules = rules(spec);
        for (key, _) in spec["properties"].as_object().unwrap() {
            let is_required = spec["required"].as_array().unwrap().contains(&json!(key));
            let same = format!("self.{key} == oldSelf.{key}");
            let rule = if is_required {
                same
            } else {
                format!("has(self.{key}) == has(oldSelf.{key}) && (!has(self.{key}) || {same})")
            };
            assert_ne!(rules.contains(&&*rule), wishes.contains(&&**key), "{kind}.spec.{key}");
        }
    }
    let root = rules(schema(&all, "Volume"));
    assert!(root.iter().any(|rule| rule.contains("self.spec.bytes >= self.status.bytes")));
    for (kind, letter) in [("Volume", 'v'), ("Snapshot", 's'), ("GroupSnapshot", 'g')] {
        let named = format!("self.metadata.name.matches('^{letter}-[0-9a-f]{{32}}$')");
        assert!(rules(schema(&all, kind)).contains(&&*named), "{kind}");
    }
}

#[test]
fn every_column_shows_something() {
    let all = printed();
    for (kind, narrow) in [
        ("Volume", &["Node", "Pool", "Size", "Content", "Phase", "Healthy", "Age"][..]),
        ("Snapshot", &["Node", "Pool", "Size", "Source", "Phase", "Age"]),
        ("GroupSnapshot", &["Node", "Pool", "Phase", "Age"]),
        ("Pool", &["Node", "Pool", "Kind", "Size", "Used%", "Cordoned", "Healthy", "Age"]),
    ] {
        let mut keys = vec![format!("{kind}.metadata.creationTimestamp")];
        visit(kind, schema(&all, kind), &mut |path, _| keys.push(path.to_owned()));
        let columns = version(&all, kind)["additionalPrinterColumns"].as_array().unwrap();
        for column in columns {
            let path = column["jsonPath"].as_str().unwrap();
            let path = path.replace("[*]", "[]").replace("[?(@.type==\"Healthy\")]", "[]");
            assert!(keys.contains(&format!("{kind}{path}")), "{kind}: there is no {path}");
        }
        let shown = columns.iter().filter(|column| column.get("priority").is_none());
        let shown: Vec<_> = shown.map(|column| column["name"].as_str().unwrap()).collect();
        assert_eq!(shown, narrow, "{kind}");
    }
}
