//! The sidecars of Kubernetes, each beside a driver's socket.

use std::path::Path;
use std::process::Command;

use super::{Identity, Process, Rig, program};

impl Rig {
    /// Starts csi-provisioner for the driver at the socket, as the chart does.
    pub(crate) fn provisioner(&self, socket: &Path) -> Process {
        self.sidecar(
            "csi-provisioner",
            socket,
            &["--immediate-topology=false", "--extra-create-metadata"],
        )
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
        let mut command = Command::new(program(name));
        command.arg(format!("--csi-address={}", socket.display())).arg("--kubeconfig");
        command.arg(self.kubeconfig(&Identity::user(name, "system:masters"))).args(options);
        self.spawn(name, command)
    }
}
