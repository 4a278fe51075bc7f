//! One run of csi-sanity and what it reports.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What kind of volumes the suite makes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Volumes {
    Mount,
    Block,
}

/// What a run reports.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub seed: i64,
    pub passed: usize,
    pub failed: Vec<String>,
    pub skipped: Vec<String>,
}

/// Runs the suite against the driver at the socket, whose Controller service may be at another one.
pub(crate) fn run(
    room: &Path,
    socket: &Path,
    controller: Option<&Path>,
    volumes: Volumes,
) -> Report {
    let report = room.join("report.json");
    let mutable = room.join("mutable.yaml");
    std::fs::write(&mutable, "readIOPS: 1k\nwriteBytesPerSecond: 20Mi\n").unwrap();
    let mut suite = Command::new(program());
    if let Some(controller) = controller {
        suite.arg(format!("--csi.controllerendpoint=unix:{}", controller.display()));
    }
    suite
        .arg(format!("--csi.endpoint=unix:{}", socket.display()))
        .arg(format!("--csi.mountdir={}", room.join("mount").display()))
        .arg(format!("--csi.stagingdir={}", room.join("staging").display()))
        .arg(format!("--csi.testvolumemutableparameters={}", mutable.display()))
        .arg("--csi.testnodevolumeattachlimit")
        .arg("--ginkgo.randomize-all")
        .arg("--ginkgo.no-color")
        .arg(format!("--ginkgo.json-report={}", report.display()));
    if let Volumes::Block = volumes {
        suite.args([
            "--csi.testvolumeaccesstype=block",
            "--csi.testvolumesize=16777216",
            "--csi.testvolumeexpandsize=33554432",
        ]);
    }
    let output = suite.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    let mut report = read(&report).unwrap_or_else(|| panic!("csi-sanity left no report:\n{words}"));
    if !output.status.success() && report.failed.is_empty() {
        report.failed.push(format!("csi-sanity ended with {}:\n{words}", output.status));
    }
    report
}

/// The suite that `make tools` builds.
fn program() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/bin/csi-sanity");
    assert!(path.exists(), "{} is missing: run `make tools`", path.display());
    path
}

fn read(path: &Path) -> Option<Report> {
    let reports: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let suite = reports.get(0)?;
    let mut report =
        Report { seed: suite["SuiteConfig"]["RandomSeed"].as_i64()?, ..Report::default() };
    for spec in suite["SpecReports"].as_array()? {
        let words = spec["ContainerHierarchyTexts"].as_array();
        let containers = words.into_iter().flatten().filter_map(Value::as_str);
        let leaf = spec["LeafNodeText"].as_str().unwrap_or_default();
        let name: Vec<_> = containers.chain([leaf]).collect();
        let name = name.join(" ");
        let message = spec["Failure"]["Message"].as_str().unwrap_or_default();
        match spec["State"].as_str()? {
            "passed" if spec["LeafNodeType"] == "It" => report.passed += 1,
            // The suite itself holds one back; nobody can run it.
            "passed" | "pending" => {}
            "skipped" => report.skipped.push(format!("{name}: {message}")),
            state => report.failed.push(format!("{state}: {name}: {message}")),
        }
    }
    Some(report)
}
