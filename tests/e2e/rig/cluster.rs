//! The cluster as a machine: its programs, its nodes, and the tools that an admin has.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The nodes that `tools/cluster` brings up.
pub(crate) const NODES: [Node; 2] = [Node("n1"), Node("n2")];

/// A node, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(pub(crate) &'static str);

/// The file that leads to the API server; `tools/cluster/inside` tells it.
pub(crate) fn kubeconfig() -> PathBuf {
    std::env::var_os("KUBECONFIG")
        .expect("KUBECONFIG; run `make e2e`, or `make cluster` first")
        .into()
}

/// Runs kubectl, and returns what it prints.
pub(crate) fn kubectl(args: &[&str]) -> String {
    printed("kubectl", Command::new(built("kube")).arg("kubectl").args(args))
}

/// Runs kubectl, gives it these words to read, and returns what it prints.
pub(crate) fn kubectl_with(args: &[&str], words: &str) -> String {
    let file = tempfile::tempfile().unwrap();
    (&file).write_all(words.as_bytes()).unwrap();
    (&file).rewind().unwrap();
    printed("kubectl", Command::new(built("kube")).arg("kubectl").args(args).stdin(file))
}

/// Runs kubectl, and returns what it prints, unless it fails.
pub(crate) fn kubectl_if_it_can(args: &[&str]) -> Option<String> {
    let output = Command::new(built("kube")).arg("kubectl").args(args).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Runs kubectl, which must fail, and returns what it says.
pub(crate) fn kubectl_fails(args: &[&str]) -> String {
    let output = Command::new(built("kube")).arg("kubectl").args(args).output().unwrap();
    assert!(!output.status.success(), "kubectl {args:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

/// Runs helm, and returns what it prints.
pub(crate) fn helm(args: &[&str]) -> String {
    printed("helm", Command::new(built("helm")).args(args))
}

/// An API server that hangs, until this is dropped.
#[derive(Debug)]
pub(crate) struct Hanging;

/// Runs a script of `tools/cluster`, and returns what it prints.
pub(crate) fn tool(name: &str, args: &[&str]) -> String {
    printed(name, Command::new(root().join("tools/cluster").join(name)).args(args))
}

// === impl Hanging ===

impl Hanging {
    pub(crate) fn api_server() -> Self {
        tool("signal", &["control-plane", "apiserver", "STOP"]);
        Self
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        tool("signal", &["control-plane", "apiserver", "CONT"]);
    }
}

// === impl Node ===

impl Node {
    pub(crate) fn named(name: &str) -> Self {
        NODES.into_iter().find(|node| node.0 == name).unwrap()
    }

    /// Runs a command on the node, as its root.
    pub(crate) fn run(self, command: &str) -> String {
        tool("inside", &[self.0, "sh", "-c", command])
    }

    /// Ends a program of the node that is started again by what looks after it.
    pub(crate) fn kill(self, program: &str) {
        tool("signal", &[self.0, program, "KILL"]);
    }

    /// Ends the driver on the node. Kubelet starts it again.
    pub(crate) fn kill_driver(self) {
        self.run("kill -KILL $(pgrep -x orlop)");
    }

    /// Ends all that runs on the node, as a power cut does, and starts it again.
    pub(crate) fn reboot(self) {
        tool("node-down", &[self.0]);
        tool("node-up", &[self.0]);
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn built(name: &str) -> PathBuf {
    let path = root().join("tools/bin").join(name);
    assert!(path.exists(), "{} is missing: run `make tools`", path.display());
    path
}

fn printed(name: &str, command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{name}: {command:?}: {status}: {said}");
    String::from_utf8(stdout).unwrap()
}
