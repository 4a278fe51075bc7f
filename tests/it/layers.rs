//! Nobody calls upwards: every `crate::` path in the sources is held against the layers of ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each module and what it may name. What a line names is itself a line; there is no way around.
const MAY_NAME: [(&str, &[&str]); 23] = [
    ("error", &["rpc", "volume"]),
    ("fault", &[]),
    ("deadline", &[]),
    ("sys", &[]),
    ("tool", &["sys"]),
    ("csi", &[]),
    ("logging", &[]),
    ("rpc", &["deadline", "error", "sys"]),
    ("locks", &["error"]),
    ("volume", &["csi", "error"]),
    ("fs", &["error", "sys", "tool", "volume"]),
    ("backend", &["error", "fault", "fs", "host", "sys", "volume"]),
    ("host", &["backend", "error", "fs", "sys", "volume"]),
    ("config", &["backend", "volume"]),
    ("identity", &["csi"]),
    ("registration", &["csi"]),
    ("cluster", &["backend", "deadline", "error", "fault", "locks", "volume"]),
    ("controller", &["backend", "csi", "error", "locks", "rpc", "volume"]),
    ("node", &["backend", "controller", "csi", "error", "host", "locks", "rpc", "sys", "volume"]),
    ("ephemeral", &["csi", "error", "fault", "fs", "locks", "rpc", "sys", "volume"]),
    ("metrics", &["backend", "error", "host", "rpc", "volume"]),
    ("server", &["config", "locks", "rpc"]),
    ("admin", &["backend", "config", "csi", "error", "locks", "logging", "rpc", "volume"]),
];

/// Names that gRPC brings: only these modules may use them.
const SPEAKS_GRPC: [&str; 12] = [
    "admin",
    "cli",
    "controller",
    "csi",
    "ephemeral",
    "error",
    "identity",
    "node",
    "registration",
    "rpc",
    "server",
    "volume",
];

fn sources(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

fn all() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(root(), &mut found);
    found
}

/// The top-level module of a source file.
fn module(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The top-level modules that the text names.
fn named(text: &str) -> BTreeSet<&str> {
    let paths = text.split("crate::").skip(1);
    paths
        .map(|path| path.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap())
        .collect()
}

#[test]
fn nobody_calls_upwards() {
    let mut wrong = Vec::new();
    for (file, text) in &all() {
        let own = module(file);
        if ["cli", "lib", "main"].contains(&own) {
            continue;
        }
        let line = MAY_NAME.iter().find(|(name, _)| *name == own);
        let (_, allowed) = line.unwrap_or_else(|| panic!("{own} has no line in the layers"));
        let names = named(text).into_iter().filter(|name| !name.is_empty() && *name != own);
        wrong.extend(
            names.filter(|name| !allowed.contains(name)).map(|name| format!("{file} names {name}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_edge_speaks_grpc() {
    let all = all();
    let speaks = all.iter().filter(|(_, text)| text.contains("tonic::"));
    let wrong: Vec<_> =
        speaks.map(|(file, _)| file).filter(|file| !SPEAKS_GRPC.contains(&module(file))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_is_in_sys_alone() {
    let all = all();
    let opens = all.iter().filter(|(_, text)| text.contains("expect(unsafe_code"));
    let wrong: Vec<_> = opens.map(|(file, _)| file).filter(|file| module(file) != "sys").collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
