//! Each file of deploy/examples runs as it is.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::rig::{flow, kubectl};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/examples");

/// What others are made from comes first.
const FIRST: &str = "claim.yaml";

#[test]
fn every_example_runs_as_it_is() {
    flow("examples", async |flow| {
        let label = json!({ "pod-security.kubernetes.io/enforce": "privileged" });
        let labelled = json!({ "metadata": { "labels": label } });
        let namespace = format!("/api/v1/namespaces/{}", flow.namespace);
        flow.api.patch(&namespace, &labelled).await.unwrap();
        let page = fs::read_to_string(Path::new(DIRECTORY).join("README.md")).unwrap();
        let mut files: Vec<_> = fs::read_dir(DIRECTORY)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "README.md")
            .collect();
        files.sort_by_key(|name| (name != FIRST, name.clone()));
        for file in files {
            assert!(page.contains(&format!("({file})")), "{file} is not in the README");
            let path = format!("{DIRECTORY}/{file}");
            kubectl(&["apply", "-n", &flow.namespace, "-f", &path]);
            let pod = file.trim_end_matches(".yaml").trim_end_matches("-ephemeral");
            flow.running(pod).await;
        }
    });
}
