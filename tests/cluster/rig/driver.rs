//! The driver as a process of a node.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

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
        let mut command = Command::new(env!("CARGO_BIN_EXE_orlop"));
        command.arg(mode).arg("--config").arg(config);
        command.arg(format!("--endpoint=unix://{}", socket.display()));
        Driver { command, socket }
    }

    /// Waits until a driver takes connections.
    pub(crate) async fn until_it_listens(&self, socket: &Path) {
        // One that was killed has left its socket behind.
        let listens = async || UnixStream::connect(socket).ok().map(drop);
        self.until("the driver listens", listens).await;
    }
}
