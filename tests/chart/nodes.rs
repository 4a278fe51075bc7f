//! Which DaemonSet a node gets.

use std::collections::BTreeMap;

use serde_json::Value;

/// The labels of a node.
pub(crate) type Labels = BTreeMap<String, String>;

/// Returns whether the DaemonSet has a pod on a node with these labels, as the scheduler decides it.
pub(crate) fn is_on(daemon_set: &Value, node: &Labels) -> bool {
    let pod = &daemon_set["spec"]["template"]["spec"];
    let selector = pod["nodeSelector"].as_object().unwrap();
    let is_selected =
        selector.iter().all(|(key, value)| node.get(key).map(String::as_str) == value.as_str());
    let required =
        &pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let Some(terms) = required["nodeSelectorTerms"].as_array() else { return is_selected };
    is_selected && terms.iter().any(|term| holds(term, node))
}

fn holds(term: &Value, node: &Labels) -> bool {
    term["matchExpressions"].as_array().unwrap().iter().all(|one| {
        assert_eq!(one["operator"], "NotIn");
        let value = node.get(one["key"].as_str().unwrap());
        value.is_none_or(|value| {
            !one["values"].as_array().unwrap().contains(&Value::from(value.as_str()))
        })
    })
}
