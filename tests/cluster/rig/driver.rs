//! The driver as a process of a node.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::Rig;

/// A driver that is yet to be started: the command may be given more options and variables.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) command: Command,
    pub(crate) socket: PathBuf,
}

impl Rig {
    /// Returns `orlop all`, `orlop node` or `orlop controller` with these settings. Its files are in a room of
    /// this name, and found there again by the next one.
    pub(crate) fn orlop(&self, mode: &str, name: &str, mut settings: Value) -> Driver {
        let room = self.room(name);
        let (config, socket) = (room.join("orlop.yaml"), room.join("csi.sock"));
        settings["stateDir"] = room.join("state").to_str().unwrap().into();
        std::fs::write(&config, settings.to_string()).unwrap();
        let mut command = Command::new(&self.cluster.orlop_program);
        command.arg(mode).arg("--config").arg(config);
        command.arg(format!("--endpoint=unix://{}", socket.display()));
        Driver { command, socket }
    }

    /// Returns `orlop controller` with these settings, in a pod of this name that has the rights of one.
    pub(crate) async fn orlop_as_controller(&self, pod: &str, mut settings: Value) -> Driver {
        let kubeconfig = self.kubeconfig(&self.orlop_controller(pod).await);
        settings["cluster"] = json!({ "kubeconfig": kubeconfig });
        self.orlop("controller", pod, settings)
    }

    /// Returns `orlop node` with this pool, on a new node of this name, with the rights that it has.
    pub(crate) async fn orlop_on_node(&self, node: &str, pool: &Value) -> Driver {
        self.node(node).await;
        let kubeconfig = self.kubeconfig(&self.orlop_node(node).await);
        let settings = json!({
            "nodeId": node, "pools": [pool], "cluster": { "kubeconfig": kubeconfig },
        });
        self.orlop("node", node, settings)
    }

    /// Waits until a driver takes connections.
    pub(crate) async fn until_it_listens(&self, socket: &Path) {
        // One that was killed has left its socket behind.
        let listens = async || UnixStream::connect(socket).ok().map(drop);
        self.until("the driver listens", listens).await;
    }
}
