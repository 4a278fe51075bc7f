//! The rules of Orlop's roles, one by one, and which of them were used: by the API server's own word.
//!
//! After each test it is asked what Orlop's processes wanted in that cluster: nothing beyond their roles, ever.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use super::audit::Event;
use super::orlop::{NAMESPACE, manifests};

/// One thing that a role allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    pub(crate) role: String,
    pub(crate) verb: String,
    pub(crate) group: String,
    /// Such as `volumes`, or `volumes/status`.
    pub(crate) resource: String,
}

#[derive(Deserialize)]
struct Role {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    rules: Vec<Rules>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rules {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

/// Returns what the roles of `deploy/cluster` allow.
pub(crate) fn granted() -> BTreeSet<Rule> {
    let text = std::fs::read_to_string(manifests().join("rights.yaml")).unwrap();
    let all = text.split("\n---\n").skip(1).map(|one| serde_saphyr::from_str(one).unwrap());
    let mut granted = BTreeSet::new();
    for Role { metadata: Metadata { name }, rules, .. } in
        all.filter(|role: &Role| role.kind == "ClusterRole")
    {
        for Rules { api_groups, resources, verbs } in rules {
            for group in &api_groups {
                for resource in &resources {
                    granted.extend(verbs.iter().map(|verb| Rule {
                        role: name.clone(),
                        verb: verb.clone(),
                        group: group.clone(),
                        resource: resource.clone(),
                    }));
                }
            }
        }
    }
    granted
}

/// Returns what Orlop's processes asked for that their roles do not allow. Tests that have their tokens do not count: they try
/// what is not allowed.
pub(crate) fn too_few(events: &[Event]) -> BTreeSet<Rule> {
    // One that is granted can be refused by an API server that has just started and has not read its roles yet.
    &wanted_by_processes(events) - &granted()
}

/// Returns what Orlop's processes asked for, whether it was allowed or not.
pub(crate) fn wanted_by_processes(events: &[Event]) -> BTreeSet<Rule> {
    events.iter().filter_map(Rule::wanted_by_a_process).collect()
}

/// Returns the rules by which these requests were allowed.
pub(crate) fn used(events: &[Event]) -> BTreeSet<Rule> {
    events.iter().filter_map(Rule::of).collect()
}

/// Returns the rules that would have allowed what was refused to Orlop's two processes. What a policy refuses is not
/// among it.
pub(crate) fn missing(events: &[Event]) -> BTreeSet<Rule> {
    events.iter().filter_map(Rule::lacked_by).collect()
}

// === impl Rule ===

impl Rule {
    /// Returns the rule by which the request was allowed, if it is one of Orlop's.
    fn of(event: &Event) -> Option<Self> {
        let reason = event.annotations.get("authorization.k8s.io/reason")?;
        let (_, role) = reason.split_once(" of ClusterRole \"")?;
        let (role, _) = role.split_once('"')?;
        role.starts_with("orlop-").then(|| Self::asked_for(role, event))
    }

    /// Returns the rule without which the request was refused. A role is named as the account is that has it.
    fn lacked_by(event: &Event) -> Option<Self> {
        let role = event.user.username.strip_prefix(&format!("system:serviceaccount:{NAMESPACE}:"));
        let decision = event.annotations.get("authorization.k8s.io/decision")?;
        role.filter(|_| decision == "forbid").map(|role| Self::asked_for(role, event))
    }

    /// Returns the rule that the request needs, if it is a process of Orlop that has made it.
    fn wanted_by_a_process(event: &Event) -> Option<Self> {
        let (program, _) = event.user_agent.split_once('/')?;
        ["orlop-controller", "orlop-node"]
            .contains(&program)
            .then(|| Self::asked_for(program, event))
    }

    fn asked_for(role: &str, event: &Event) -> Self {
        let object = &event.object_ref;
        let part = Some(&object.subresource).filter(|part| !part.is_empty());
        let part = part.map(|part| format!("/{part}")).unwrap_or_default();
        Self {
            role: role.to_owned(),
            verb: event.verb.clone(),
            group: object.api_group.clone(),
            resource: format!("{}{part}", object.resource),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, verb, group, resource } = self;
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{role}: {verb} {resource}{dot}{group}")
    }
}
