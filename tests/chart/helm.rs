//! Helm, and the objects that it renders.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// What was rendered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Objects(pub(crate) Vec<Value>);

/// Returns where the chart is.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/helm/orlop")
}

/// Runs Helm on the chart.
pub(crate) fn helm(args: &[&str], values: &Value) -> Output {
    helm_on(&chart(), args, values)
}

/// Runs Helm on this chart.
pub(crate) fn helm_on(chart: &Path, args: &[&str], values: &Value) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/bin/helm");
    assert!(program.exists(), "{} is missing: run `make tools`", program.display());
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("values.yaml");
    std::fs::write(&file, values.to_string()).unwrap();
    let mut command = Command::new(program);
    command.args(args).arg(chart).arg("--values").arg(&file).env("HOME", home.path());
    command.output().unwrap()
}

/// Renders the release `orlop` in the namespace `orlop`, or returns what Helm says against it.
pub(crate) fn rendered(values: &Value, args: &[&str]) -> Result<Objects, String> {
    text(values, args).map(|text| Objects::parse(&text))
}

/// Renders what has to be right.
pub(crate) fn render(values: &Value) -> Objects {
    rendered(values, &[]).unwrap_or_else(|said| panic!("{values}: {said}"))
}

/// Returns what Helm says against these values.
pub(crate) fn refused(values: &Value) -> String {
    match rendered(values, &[]) {
        Ok(_) => panic!("{values} is rendered"),
        Err(said) => said,
    }
}

/// Returns the text that is rendered.
pub(crate) fn text(values: &Value, args: &[&str]) -> Result<String, String> {
    let mut all = vec!["template", "orlop", "--namespace", "orlop"];
    all.extend(args);
    let output = helm(&all, values);
    let said = String::from_utf8(output.stderr).unwrap();
    if !output.status.success() {
        return Err(said);
    }
    assert_eq!(said, "", "Helm warns of {values}");
    Ok(String::from_utf8(output.stdout).unwrap())
}

/// Everything that can be switched on, at once.
pub(crate) fn everything() -> Value {
    json!({
        "createNamespace": true,
        "pools": [
            { "name": "fast", "device": "/dev/disk/by-id/nvme-Example_*", "nodeSelector": { "disk": "nvme" } },
            { "name": "bulk", "path": "/srv/bulk", "provisioning": "thin", "ratio": 3, "lowWater": "6%",
              "reserve": "3%", "whenFull": "fail",
              "storageClasses": [
                { "name": "bulk", "isDefault": true, "fsType": "ext4", "blockSize": 512,
                  "mountOptions": ["noatime"], "reclaimPolicy": "Retain" },
                { "name": "bulk-btrfs", "fsType": "btrfs", "immediate": false },
              ] },
            { "name": "file", "file": "/srv/pools/file.img", "size": "10Gi" },
        ],
        "volumeAttributesClasses": [{ "name": "silver", "parameters": { "readIOPS": "2k" } }],
        "snapshots": { "enabled": true, "groups": true },
        "controller": { "replicas": 2, "tolerations": [{ "operator": "Exists" }] },
        "node": { "podLabels": { "a": "b" }, "extraEnv": [{ "name": "A", "value": "b" }] },
        "imagePullSecrets": [{ "name": "registry" }],
        "roles": { "hostpath": { "enabled": true, "prefixes": [
            { "path": "/srv/data", "namespaces": ["team"], "readOnly": true },
        ] } },
        "serviceMonitor": { "enabled": true },
        "prometheusRule": { "enabled": true },
        "dashboard": { "enabled": true },
        "networkPolicy": { "enabled": true, "from": [{ "namespaceSelector": {} }] },
        "openshift": { "enabled": true },
    })
}

// === impl Objects ===

impl Objects {
    /// Reads a file of objects.
    pub(crate) fn parse(text: &str) -> Self {
        let documents =
            text.split("---\n").map(|one| serde_saphyr::from_str::<Value>(one).unwrap());
        Self(documents.filter(|one| !one.is_null()).collect())
    }

    /// Returns those of a kind.
    pub(crate) fn of(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|one| one["kind"] == kind).collect()
    }

    /// Returns the one of this kind and name.
    pub(crate) fn one(&self, kind: &str, name: &str) -> &Value {
        let found = self.of(kind).into_iter().find(|one| one["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    /// Returns the names of those of a kind.
    pub(crate) fn names(&self, kind: &str) -> Vec<&str> {
        self.of(kind).into_iter().map(|one| one["metadata"]["name"].as_str().unwrap()).collect()
    }

    /// Returns the config that a process gets.
    pub(crate) fn config(&self, name: &str) -> &str {
        self.one("ConfigMap", name)["data"]["orlop.yaml"].as_str().unwrap()
    }
}
