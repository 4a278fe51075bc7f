//! The sidecars of Kubernetes, each beside a driver's socket.

use std::path::Path;
use std::process::Command;

use super::orlop::NAMESPACE;
use super::{Identity, Process, Rig, program};

/// Without `--strict-topology`: a copy is made where its source is.
const PROVISIONER: [&str; 2] = ["--immediate-topology=false", "--extra-create-metadata"];

impl Rig {
    /// Starts csi-provisioner for the driver at the socket, as the chart does.
    pub(crate) fn provisioner(&self, socket: &Path) -> Process {
        self.sidecar("csi-provisioner", socket, &PROVISIONER)
    }

    /// Starts the same in the pod of a controller: the scheduler reads from it how much room there is where.
    pub(crate) fn provisioner_of(&self, socket: &Path, pod: &str) -> Process {
        let mut command = self.command("csi-provisioner", socket, &PROVISIONER);
        // The pod owns what is said. What an admin does to a pool is asked for anew, for nobody tells of it.
        command.args(["--enable-capacity", "--capacity-ownerref-level=0"]);
        command.args(["--capacity-poll-interval=1s", "--kube-api-capacity-qps=100"]);
        command.env("NAMESPACE", NAMESPACE).env("POD_NAME", format!("orlop-controller-{pod}"));
        self.spawn("csi-provisioner", command)
    }

    /// Adds snapshots to the API, and starts the controller that a cluster has for them.
    pub(crate) fn snapshot_controller(&self) -> Process {
        // It ends where it does not find them.
        let kinds = program("snapshot-crds");
        self.kubectl(["apply", "--server-side", "-f", kinds.to_str().unwrap()]);
        self.kubectl(["wait", "--for=condition=Established", "crd", "--all"]);
        let mut command = Command::new(program("snapshot-controller"));
        let identity = Identity::user("snapshot-controller", "system:masters");
        command.arg("--kubeconfig").arg(self.kubeconfig(&identity));
        self.spawn("snapshot-controller", command)
    }

    /// Starts a sidecar with these options for the driver at the socket.
    pub(crate) fn sidecar(&self, name: &str, socket: &Path, options: &[&str]) -> Process {
        self.spawn(name, self.command(name, socket, options))
    }

    fn command(&self, name: &str, socket: &Path, options: &[&str]) -> Command {
        let mut command = Command::new(program(name));
        command.arg(format!("--csi-address={}", socket.display())).arg("--kubeconfig");
        command.arg(self.kubeconfig(&Identity::user(name, "system:masters"))).args(options);
        command
    }
}
