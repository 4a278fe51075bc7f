//! docs/cluster.md shows objects that mean something, and has each rule of the roles and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use orlop::cluster::objects::{GroupSnapshot, Pool, Snapshot, Volume};
use serde::Deserialize;

use super::page::{Page, literal, root};

const PAGE: &str = "docs/cluster.md";

#[derive(Debug, Deserialize)]
struct Manifest {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Rule {
    resources: Vec<String>,
    verbs: Vec<String>,
}

/// Who may do what to what.
type Rights = BTreeSet<(String, String, String)>;

fn all(role: &str, verbs: &[String], resources: &[String]) -> Rights {
    let of = |verb: &String| {
        let one = |resource: &String| (role.to_owned(), verb.clone(), resource.clone());
        resources.iter().map(one).collect::<Vec<_>>()
    };
    verbs.iter().flat_map(of).collect()
}

/// Returns the code spans of a cell.
fn spans(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn each_rule_of_the_roles_has_its_reason() {
    let text = fs::read_to_string(root().join("deploy/cluster/rights.yaml")).unwrap();
    let documents = text.split("\n---\n").skip(1);
    let manifests = documents.map(|text| serde_saphyr::from_str::<Manifest>(text).unwrap());
    let roles = manifests.filter(|manifest| manifest.kind == "ClusterRole");
    let granted: Rights = roles
        .flat_map(|Manifest { metadata, rules, .. }| {
            let of = |rule: &Rule| all(&metadata.name, &rule.verbs, &rule.resources);
            rules.iter().flat_map(of).collect::<Rights>()
        })
        .collect();
    let page = Page::read(PAGE);
    let rows = page.table(&["role", "may", "of", "because", "function"]);
    let explained: Vec<_> = rows
        .iter()
        .flat_map(|row| all(&spans(&row[0])[0], &spans(&row[1]), &spans(&row[2])))
        .collect();
    let counted = explained.len();
    let explained: Rights = explained.into_iter().collect();
    assert_eq!(counted, explained.len(), "a rule is explained twice");
    assert_eq!(explained, granted);
    for row in rows {
        assert!(!row[3].is_empty(), "{row:?}");
        let function = literal(&row[4]).unwrap();
        let (module, name) = function.rsplit_once("::").unwrap();
        let file = root().join("src/cluster").join(module.replace("::", "/")).with_extension("rs");
        let source =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{function}: {error}"));
        let is_there = ["(", "<"].iter().any(|next| source.contains(&format!("fn {name}{next}")));
        assert!(is_there, "there is no {function}");
    }
}

#[test]
fn the_objects_that_are_shown_mean_something() {
    let page = Page::read(PAGE);
    let mut found = BTreeMap::new();
    for block in page.blocks.iter().filter(|block| block.language == "yaml") {
        let Manifest { kind, metadata, .. } = serde_saphyr::from_str(&block.text).unwrap();
        let text = &block.text;
        match &*kind {
            "Volume" => {
                let volume: Volume = serde_saphyr::from_str(text).unwrap();
                assert!(volume.made().unwrap().is_some());
            }
            "Snapshot" => {
                let snapshot: Snapshot = serde_saphyr::from_str(text).unwrap();
                assert!(snapshot.made().unwrap().is_some());
            }
            "GroupSnapshot" => {
                let group: GroupSnapshot = serde_saphyr::from_str(text).unwrap();
                assert!(group.made().unwrap().is_some());
            }
            "Pool" => {
                let pool: Pool = serde_saphyr::from_str(text).unwrap();
                assert_eq!(pool.home().object_name(), metadata.name);
            }
            other => panic!("{other}"),
        }
        found.insert(kind, metadata.name);
    }
    assert_eq!(found.len(), 4, "{found:?}");
}

/// A release in another namespace would lose its rights to those in the files of `deploy/cluster`.
#[test]
fn what_brings_objects_back_applies_definitions_alone() {
    let text = fs::read_to_string(root().join(PAGE)).unwrap();
    let (_, section) = text.split_once("\n## Orphans\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let applied: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("kubectl apply")?.rsplit(' ').next())
        .collect();
    assert_eq!(applied, ["deploy/cluster/crds.yaml"]);
    let file = fs::read_to_string(root().join(applied[0])).unwrap();
    let kinds: BTreeSet<&str> = file.lines().filter(|line| line.starts_with("kind:")).collect();
    assert_eq!(kinds, ["kind: CustomResourceDefinition"].into());
}
