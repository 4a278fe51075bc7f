//! The chart, as an admin installs it.

use std::path::{Path, PathBuf};

use super::cluster::{NODES, helm, kubectl};
use super::{DRIVER, Flow, INSTALLED};

/// Installs this version, or upgrades to it, and returns when all of its pods are ready.
pub(crate) fn install() {
    install_with(&[]);
}

/// Does so with these options of Helm.
pub(crate) fn install_with(settings: &[&str]) {
    install_from(&root().join("deploy/helm/orlop"), settings);
}

/// Installs the version before this one; `tools/cluster/previous` has built it.
pub(crate) fn install_previous() {
    let chart = root().join("target/previous/source/deploy/helm/orlop");
    assert!(chart.exists(), "{} is missing: run tools/cluster/previous", chart.display());
    install_from(&chart, &["--set=image.tag=previous"]);
}

/// Takes all of Orlop out of the cluster, with its pools.
pub(crate) async fn remove(flow: &Flow) {
    helm(&["uninstall", "orlop", "-n", INSTALLED, "--wait"]);
    for kind in ["volumes", "snapshots", "groupsnapshots", "pools"] {
        kubectl(&["delete", "crd", &format!("{kind}.orlop.dev")]);
    }
    kubectl(&["delete", "csidriver", DRIVER]);
    kubectl(&["delete", "namespace", INSTALLED]);
    flow.gone(&format!("/api/v1/namespaces/{INSTALLED}")).await;
    for node in NODES {
        node.run(
            "umount /var/lib/orlop/state/mounts/*/ && \
             find /var/lib/orlop -name data.img -exec chattr -f -i {} \\; && rm -rf /var/lib/orlop/*",
        );
    }
}

/// Runs a command in the driver's container on each node, and returns all that they print.
pub(crate) async fn exec_on_each_node(flow: &Flow, command: &[&str]) -> String {
    let pods = pods(flow, "node").await;
    let exec = |pod: &str| {
        let args = ["exec", "-n", INSTALLED, pod, "-c", "driver", "--"];
        kubectl(&[&args, command].concat())
    };
    pods.iter().map(|pod| exec(pod["metadata"]["name"].as_str().unwrap())).collect()
}

/// Returns the pods of the driver on the nodes, or of its controller.
pub(crate) async fn pods(flow: &Flow, component: &str) -> Vec<serde_json::Value> {
    let label = format!("app.kubernetes.io/component%3D{component}");
    let path = format!("/api/v1/namespaces/{INSTALLED}/pods?labelSelector={label}");
    let mut pods = flow.api.get(&path).await.unwrap();
    serde_json::from_value(pods["items"].take()).unwrap()
}

fn install_from(chart: &Path, settings: &[&str]) {
    let values = root().join("tests/e2e/values.yaml");
    let (chart, values) = (chart.to_str().unwrap(), values.to_str().unwrap());
    let upgrade = ["upgrade", "--install", "orlop", chart, "--namespace", INSTALLED];
    let options = ["--create-namespace", "--values", values, "--wait", "--timeout=3m"];
    helm(&[&upgrade[..], &options, settings].concat());
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
