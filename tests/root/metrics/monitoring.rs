//! The alert rules and the dashboard in deploy/monitoring ask for nothing that a real scrape does not have.

use std::collections::BTreeSet;

use serde_json::Value;

use super::promql::{Labels, Series};
use super::scrape;

const ALERTS: &str = include_str!("../../../deploy/monitoring/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../deploy/monitoring/dashboard.json");

/// Returns the labels that a text of Prometheus or Grafana puts in.
fn put_in<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let parts = text.split("{{").skip(1).map(|part| part.split("}}").next().unwrap().trim());
    let labels = parts.filter_map(|part| part.strip_prefix(before));
    labels.map(|label| label.split([' ', '|']).next().unwrap()).collect()
}

fn has_all(labels: &Labels, text: &str, before: &str) {
    for label in put_in(text, before) {
        assert!(labels.contains(label), "{text:?} puts in {label}, and there is: {labels:?}");
    }
}

#[test]
fn each_alert_can_fire_and_says_what_to_do() {
    let series = Series::of(&scrape());
    let file: Value = serde_saphyr::from_str(ALERTS).unwrap();
    let rules = file["groups"][0]["rules"].as_array().unwrap();
    let mut names = BTreeSet::new();
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        assert!(names.insert(name), "{name} is there twice");
        let labels = series.check(rule["expr"].as_str().unwrap());
        for key in ["summary", "action"] {
            let text = rule["annotations"][key].as_str().unwrap_or_else(|| panic!("{name}: {key}"));
            has_all(&labels, text, "$labels.");
            assert!(text.ends_with('.'), "{name}: {text:?} is no sentence");
        }
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["info", "warning", "critical"].contains(&severity), "{name}: {severity}");
    }
    for wanted in
        ["OrlopPoolNearlyFull", "OrlopVolumeAbnormal", "OrlopRpcFailing", "OrlopOperationStuck"]
    {
        assert!(names.contains(wanted), "there is no {wanted}");
    }
}

/// A controller that is left alone says that there is a program, but none of this.
#[test]
fn drivers_are_missed_by_what_only_a_node_tells() {
    let series = Series::of(&scrape());
    let file: Value = serde_saphyr::from_str(ALERTS).unwrap();
    let rules = file["groups"][0]["rules"].as_array().unwrap();
    let absent = rules.iter().find(|rule| rule["alert"] == "OrlopAbsent").unwrap();
    let expr = absent["expr"].as_str().unwrap();
    let asked: Vec<&str> =
        expr.split("absent(").skip(1).map(|part| part.split(')').next().unwrap()).collect();
    let labels = asked.iter().map(|metric| series.of_metric(metric));
    // A node has pools, inline volumes, or both.
    let of_nodes = ["pool", "role"].map(str::to_owned);
    let found: Vec<bool> =
        of_nodes.iter().map(|label| labels.clone().any(|labels| labels.contains(label))).collect();
    assert_eq!(found, [true, true], "{expr}");
    assert_eq!(asked.len(), of_nodes.len(), "{expr}");
}

#[test]
fn each_panel_shows_something_that_there_is() {
    let series = Series::of(&scrape());
    let board: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut ids = BTreeSet::new();
    let panels = board["panels"].as_array().unwrap();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel:#}");
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty() && panel["description"].is_string(), "{panel:#}");
        for target in targets {
            let labels = series.check(target["expr"].as_str().unwrap());
            has_all(&labels, target["legendFormat"].as_str().unwrap(), "");
        }
    }
    assert!(ids.len() > 15, "{} panels", ids.len());
    let variables = board["templating"]["list"].as_array().unwrap();
    for query in variables.iter().filter_map(|one| one["definition"].as_str()) {
        let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        let (metric, label) = inner.split_once(", ").unwrap();
        assert!(series.of_metric(metric).contains(label), "{query}");
    }
}

#[test]
fn a_query_that_asks_for_what_is_not_there_is_found() {
    let series = Series::of(&scrape());
    for wrong in [
        "orlop_pool_size_bytes",
        "orlop_rpc_calls_total{verb=\"x\"}",
        "orlop_rpc_calls_total{code=~\"INTERAL\"}",
        "sum by (volume) (orlop_pool_up)",
        "orlop_pool_used_bytes / orlop_volume_size_bytes",
        "orlop_pool_used_bytes / on (kind) orlop_pool_info",
        "orlop_volume_size_bytes * on (pool) group_left (name) orlop_pool_info",
        "histogram_quantile(0.9, rate(orlop_rpc_calls_total[5m]))",
        "sum(orlop_pool_up",
    ] {
        let checked =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| series.check(wrong)));
        assert!(checked.is_err(), "{wrong}");
    }
}
