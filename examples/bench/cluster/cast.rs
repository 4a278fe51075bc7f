//! Who plays: a controller, and nodes with a pool each.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::client::Client;
use crate::driver::{Result, connect};
use crate::tests::rig::{Process, Rig};

const CONTROLLER: &str = "controller";

/// What a pool in memory has: room for whatever a row makes.
const ROOM: i64 = 1 << 46;

/// A controller and its nodes.
pub(super) struct Cast {
    rig: Rig,
    pub(super) controller: Process,
    pub(super) client: Client,
    pub(super) nodes: Vec<Process>,
}

/// Returns a pool in memory.
pub(super) fn in_memory() -> Value {
    json!({ "name": "default", "kind": "memory", "size": format!("{}Ti", ROOM >> 40) })
}

/// Returns a pool of images in a file of the cluster's own.
pub(super) fn of_images(rig: &Rig) -> Value {
    let file = rig.room("images").join("pool.img");
    json!({ "name": "default", "kind": "image", "file": file, "size": "8Gi", "provisioning": "thin", "ratio": 100 })
}

/// Returns how many a process is.
pub(super) fn pid(process: &Process) -> Result<u32> {
    Ok(u32::try_from(process.pid().as_raw())?)
}

async fn client(rig: &Rig, socket: &Path) -> Result<Client> {
    rig.until_it_listens(socket).await;
    connect(socket).await
}

/// Starts `orlop all` on a pool of the same kind.
pub(super) async fn one_driver(rig: &Rig) -> Result<(Process, Client)> {
    let settings = json!({ "nodeId": "all", "attach": "off", "pools": [in_memory()] });
    let driver = rig.orlop("all", "all", settings);
    let process = rig.spawn("all", driver.command);
    Ok((process, client(rig, &driver.socket).await?))
}

// === impl Cast ===

impl Cast {
    /// Starts them, and returns when the controller knows of all pools.
    pub(super) async fn start(rig: &Rig, count: usize, pool: &Value) -> Result<Self> {
        rig.with_orlop().await;
        let driver = rig.orlop_as_controller(CONTROLLER, json!({})).await;
        let controller = rig.spawn(CONTROLLER, driver.command);
        let client = client(rig, &driver.socket).await?;
        let mut cast = Self { rig: rig.clone(), controller, client, nodes: Vec::new() };
        let mut sockets: Vec<PathBuf> = Vec::new();
        for number in 0..count {
            let node = format!("n{number}");
            let driver = rig.orlop_on_node(&node, pool).await;
            cast.nodes.push(rig.spawn(&node, driver.command));
            sockets.push(driver.socket);
        }
        for socket in &sockets {
            rig.until_it_listens(socket).await;
        }
        cast.until_all_are_known(count).await;
        Ok(cast)
    }

    /// Stops the controller and starts the next one.
    pub(super) async fn restart_controller(&mut self) -> Result<()> {
        if !self.controller.stop().success() {
            return Err(format!("the controller failed:\n{}", self.controller.said()).into());
        }
        let before = self.rig.room(CONTROLLER).join("orlop.yaml");
        let settings = serde_json::from_slice(&std::fs::read(before)?)?;
        let driver = self.rig.orlop("controller", CONTROLLER, settings);
        self.controller = self.rig.spawn(CONTROLLER, driver.command);
        self.client = client(&self.rig, &driver.socket).await?;
        Ok(())
    }

    async fn until_all_are_known(&self, count: usize) {
        let known = async || {
            let mut all = 0;
            for number in 0..count {
                let room = self.client.capacity(&format!("n{number}")).await.ok()?;
                all += usize::from(room > 0);
            }
            (all == count).then_some(())
        };
        self.rig.until("the controller knows all pools", known).await;
    }
}
