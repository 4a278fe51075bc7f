//! Who reads a page and does what it says: in a directory that looks like a clone of the repository, with `kubectl` and `helm`
//! in the path, and a namespace of their own that is kubectl's default.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::rig::{Flow, NODES, chart, kubeconfig};
use crate::steps::{Action, Step};

/// What the clone has for those who install.
const CLONE: [&str; 2] = ["deploy", "tests"];

#[derive(Debug)]
pub(super) struct Reader {
    clone: tempfile::TempDir,
    path: String,
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(namespace: &str) -> Self {
        let clone = tempfile::tempdir().unwrap();
        for dir in CLONE {
            symlink(chart::root().join(dir), clone.path().join(dir)).unwrap();
        }
        let programs = clone.path().join("bin");
        fs::create_dir(&programs).unwrap();
        let built = chart::root().join("tools/bin");
        let call = format!("exec {} kubectl", built.join("kube").display());
        program(&programs.join("kubectl"), &format!("{call} \"$@\""));
        // There is no user to become in the rig.
        program(&programs.join("sudo"), "exec \"$@\"");
        symlink(built.join("helm"), programs.join("helm")).unwrap();
        fs::copy(kubeconfig(), clone.path().join("kubeconfig")).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let reader = Self { clone, path };
        reader.done(&format!("kubectl config set-context --current --namespace={namespace}"));
        reader
    }

    /// Does what the step says.
    pub(super) async fn follow(&mut self, flow: &Flow, step: &Step) {
        let Step { at, text, action } = step;
        let text = &self.filled_in(text);
        eprintln!("--- {at}\n{text}");
        match action {
            Action::Save(name) => fs::write(self.clone.path().join(name), text).unwrap(),
            Action::Run => eprintln!("{}", self.done(text)),
            Action::RunOnEachNode => {
                for node in NODES {
                    node.run(&text.replace("sudo ", ""));
                }
            }
            Action::Fails(words) => {
                let said = self.run(text);
                assert!(!said.status.success(), "{at} succeeded");
                let said = String::from_utf8_lossy(&said.stderr).into_owned();
                assert!(said.contains(words), "{at}: {said}");
            }
            Action::Says(words) => {
                flow.until(&format!("{at} says {words:?}"), async || {
                    self.done(text).contains(words).then_some(())
                })
                .await;
            }
            Action::ComesToNothing => {
                flow.until(&format!("{at} says nothing"), async || {
                    self.done(text).is_empty().then_some(())
                })
                .await;
            }
            Action::Leave(_) => {}
        }
    }

    /// Installs what the chart renders, in a cluster that has nothing of it, and takes it away.
    pub(super) async fn without_helm(&self, flow: &Flow) {
        self.done("kubectl apply --server-side -f deploy/orlop.yaml");
        self.done("kubectl rollout status -n orlop daemonset/orlop-node --timeout=2m");
        let told = async || {
            let pools = self.done("kubectl get pools.orlop.dev --output name");
            (pools.lines().count() == NODES.len()).then_some(())
        };
        flow.until("each node has told of its pool", told).await;
        self.done("kubectl delete -f deploy/orlop.yaml");
    }

    /// Fills in the words in capitals, as a reader would who looks at what the pages have made.
    fn filled_in(&self, text: &str) -> String {
        let known = [("NODE", NODES[0].0), ("POOL", "fast"), ("CLAIM", "data"), ("POD", "shop")];
        let text =
            known.iter().fold(text.to_owned(), |text, (word, name)| text.replace(word, name));
        if !text.contains("VOLUME") {
            return text;
        }
        let id = "kubectl get pv \"$(kubectl get pvc data -o jsonpath='{.spec.volumeName}')\" \
            -o jsonpath='{.spec.csi.volumeHandle}'";
        text.replace("VOLUME", &self.done(id))
    }

    /// Runs the block, which must succeed, and returns what it prints.
    fn done(&self, text: &str) -> String {
        let Output { status, stdout, stderr } = self.run(text);
        let (printed, said) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{text}: {status}: {printed}\n{said}");
        printed.into_owned()
    }

    fn run(&self, text: &str) -> Output {
        let mut shell = Command::new("bash");
        shell.args(["-e", "-o", "pipefail", "-c", text]).current_dir(self.clone.path());
        shell.env("KUBECONFIG", self.clone.path().join("kubeconfig")).env("PATH", &self.path);
        shell.output().unwrap()
    }
}

fn program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
