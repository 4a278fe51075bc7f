//! The controllers and nodes that all workers share, and what befalls them.

use std::cell::{Cell, RefCell};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orlop::sys::loopdev;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use crate::dice::Dice;
use crate::driver::connect_lazily;
use crate::node::site::Site;
use crate::rig::{Mounts, Process, Relay, Rig};

/// What takes longer is stuck.
const PATIENCE: Duration = Duration::from_mins(3);

/// For how many milliseconds nobody dies at most.
const LONGEST_LIFE: usize = 600;

/// What each pool has: much more is promised than is ever written.
const SIZE: &str = "640Mi";

/// Some controllers and nodes, each a process.
pub(super) struct Fleet {
    pub(super) rig: Rig,
    pub(super) ships: Vec<Ship>,
    controllers: usize,
    left: Cell<usize>,
    pub(super) deaths: Cell<usize>,
    pub(super) tries: Cell<usize>,
}

/// A controller or a node, of which there is always one, be it a new one.
pub(super) struct Ship {
    pub(super) kind: Kind,
    process: RefCell<Process>,
    channel: Channel,
    variables: Vec<(&'static str, String)>,
}

/// What a ship is.
pub(super) enum Kind {
    Controller { room: String, settings: Value },
    Node(Box<Site>),
}

/// How a fleet differs from others.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) controllers: usize,
    pub(super) nodes: usize,
    /// The way of all of them to the API server.
    pub(super) relay: Option<&'a Relay>,
    /// More variables of the controllers and of the nodes.
    pub(super) variables: [Vec<(&'static str, String)>; 2],
}

impl Drop for Fleet {
    /// The devices of raw volumes outlive whatever a failed test leaves, and keep the memory of their pools.
    fn drop(&mut self) {
        for site in self.ships.iter().filter_map(Ship::site) {
            site.mounts.run(|| {
                for image in images_below(&site.in_pool("")) {
                    drop(loopdev::detach_image(&image));
                }
            });
        }
    }
}

/// Returns the images below the directory that are devices.
pub(super) fn images_below(dir: &Path) -> Vec<PathBuf> {
    let devices = std::fs::read_dir("/sys/block").unwrap().flatten();
    let images = devices
        .filter_map(|device| std::fs::read_to_string(device.path().join("loop/backing_file")).ok());
    let images = images.map(|image| PathBuf::from(image.trim_end()));
    images.filter(|image| image.starts_with(dir)).collect()
}

// === impl Ship ===

impl Ship {
    fn launch(rig: &Rig, kind: Kind, variables: Vec<(&'static str, String)>) -> Self {
        let process = RefCell::new(kind.start(rig, &variables, None));
        let channel = connect_lazily(kind.socket(rig));
        Self { kind, process, channel, variables }
    }

    /// Returns the node, if it is one.
    pub(super) fn site(&self) -> Option<&Site> {
        match &self.kind {
            Kind::Node(site) => Some(site),
            Kind::Controller { .. } => None,
        }
    }

    fn has_ended(&self) -> bool {
        self.process.borrow().ended().is_some()
    }

    /// Ends the process, unless it has died already, and starts the next one, which may be told at which of its steps
    /// to die.
    fn sink(&self, rig: &Rig, step: Option<usize>) {
        let process = self.process.borrow();
        assert_healthy(&process.said());
        match process.ended() {
            Some(status) => {
                assert_eq!(status.signal(), Some(9), "it ended by itself:\n{}", process.said());
            }
            None => process.kill(),
        }
        drop(process);
        *self.process.borrow_mut() = self.kind.start(rig, &self.variables, step);
    }
}

// === impl Kind ===

impl Kind {
    fn start(
        &self,
        rig: &Rig,
        variables: &[(&'static str, String)],
        step: Option<usize>,
    ) -> Process {
        let step = step.map(|step| step.to_string());
        let mut all: Vec<_> = variables.iter().map(|(key, value)| (*key, &**value)).collect();
        all.extend(step.as_deref().map(|step| ("ORLOP_KILL_AT_STEP", step)));
        match self {
            Self::Node(site) => site.begin(&all),
            Self::Controller { room, settings } => {
                let mut driver = rig.orlop("controller", room, settings.clone());
                driver.command.envs(all);
                rig.spawn(room, driver.command)
            }
        }
    }

    fn socket(&self, rig: &Rig) -> PathBuf {
        match self {
            Self::Node(site) => site.socket(),
            Self::Controller { room, .. } => rig.room(room).join("csi.sock"),
        }
    }
}

// === impl Fleet ===

impl Fleet {
    /// Starts them, and returns when the controllers know the pools of all nodes. `operations` is how many there will
    /// be.
    pub(super) async fn start(rig: &Rig, plan: &Plan<'_>, operations: usize) -> Self {
        rig.with_orlop().await;
        let mut ships = Vec::new();
        for number in 0..plan.controllers {
            let room = format!("controller-{number}");
            let identity = rig.orlop_controller(&room).await;
            let kubeconfig = match plan.relay {
                Some(relay) => rig.kubeconfig_through(relay, &identity),
                None => rig.kubeconfig(&identity),
            };
            let settings = json!({ "cluster": { "kubeconfig": kubeconfig } });
            let kind = Kind::Controller { room, settings };
            ships.push(Ship::launch(rig, kind, plan.variables[0].clone()));
        }
        for number in 0..plan.nodes {
            let node = format!("n{number}");
            let file = rig.room(&node).join("pool.img");
            let pool = json!({
                "name": "fast", "kind": "image", "file": file, "size": SIZE, "provisioning": "thin",
                "ratio": 10,
            });
            let mut site = Site::with(rig, &node, pool).await;
            if let Some(relay) = plan.relay {
                site = site.through(relay);
            }
            let kind = Kind::Node(Box::new(site));
            ships.push(Ship::launch(rig, kind, plan.variables[1].clone()));
        }
        let fleet = Self {
            rig: rig.clone(),
            ships,
            controllers: plan.controllers,
            left: Cell::new(operations),
            deaths: Cell::new(0),
            tries: Cell::new(0),
        };
        for site in fleet.sites() {
            site.pool().await;
        }
        fleet
    }

    pub(super) fn goes_on(&self) -> bool {
        self.left.get() > 0
    }

    /// Counts an operation.
    pub(super) fn count(&self) {
        self.left.set(self.left.get().saturating_sub(1));
    }

    pub(super) fn sites(&self) -> impl Iterator<Item = &Site> {
        self.ships.iter().filter_map(Ship::site)
    }

    /// Returns the node of this name, and the way to it.
    pub(super) fn node(&self, name: &str) -> (Channel, Mounts) {
        let ship = self.ships.iter().find(|ship| ship.site().is_some_and(|site| site.node == name));
        let ship = ship.unwrap();
        (ship.channel.clone(), ship.site().unwrap().mounts.clone())
    }

    /// Returns the way to one of the controllers.
    pub(super) fn controller(&self, number: usize) -> Channel {
        self.ships[number % self.controllers].channel.clone()
    }

    /// Makes the call until its answer is final: over the deaths of whoever answers, and while something is at work.
    pub(super) async fn settle<A>(
        &self,
        what: &str,
        mut call: impl AsyncFnMut(usize) -> Result<Response<A>, Status>,
    ) -> Result<A, Status> {
        let began = Instant::now();
        for attempt in 0.. {
            self.tries.set(self.tries.get() + 1);
            let status = match call(attempt).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            let again = [Code::Aborted, Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded];
            if !again.contains(&status.code()) && !was_cut(&status) {
                assert_ne!(status.code(), Code::Internal, "{what}: {}", status.message());
                return Err(status);
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{what} is stuck: {status:?}\n{}",
                self.rig.cluster.said()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        unreachable!()
    }

    /// Ends controllers, nodes and the API server at random and starts others, for ever.
    pub(super) async fn rage(&self, mut dice: Dice) {
        loop {
            let life = Duration::from_millis(30 + u64::try_from(dice.below(LONGEST_LIFE)).unwrap());
            let began = Instant::now();
            while began.elapsed() < life && !self.ships.iter().any(Ship::has_ended) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if dice.one_in(20) {
                self.rig.cluster.kill_api_server();
                self.deaths.set(self.deaths.get() + 1);
                // Whoever dies meanwhile starts without one.
                self.sink(&mut dice);
                tokio::time::sleep(Duration::from_millis(
                    200 * u64::try_from(dice.below(10)).unwrap(),
                ))
                .await;
                self.rig.cluster.start_api_server();
                self.rig.until_it_is_ready().await;
            } else {
                self.sink(&mut dice);
            }
        }
    }

    /// Ends one at random, or whoever has died already.
    fn sink(&self, dice: &mut Dice) {
        let dead = self.ships.iter().find(|ship| ship.has_ended());
        let ship = dead.unwrap_or_else(|| &self.ships[dice.below(self.ships.len())]);
        let step = (ship.site().is_some() && dice.one_in(2)).then(|| 1 + dice.below(40));
        ship.sink(&self.rig, step);
        self.deaths.set(self.deaths.get() + 1);
    }

    /// Gives the workers processes that stay, and an API server.
    pub(super) async fn calm(&self) {
        if !self.rig.api.is_ready().await {
            self.rig.cluster.restart_api_server();
            self.rig.until_it_is_ready().await;
        }
        for ship in &self.ships {
            ship.sink(&self.rig, None);
            self.rig.until_it_listens(&ship.kind.socket(&self.rig)).await;
        }
    }

    /// Ends all of them as nodes that are shut down do.
    pub(super) fn stop(&self) {
        for ship in &self.ships {
            let process = ship.process.borrow();
            assert_healthy(&process.said());
            assert!(process.stop().success(), "{}", process.said());
        }
    }
}

/// Whether the connection broke, which the client says itself; what a driver says has no source.
fn was_cut(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

fn assert_healthy(said: &str) {
    for word in ["panicked at", "code=\"INTERNAL\"", "code=\"UNKNOWN\"", "ended by a defect"] {
        let line = said.lines().find(|line| line.contains(word));
        assert!(line.is_none(), "{}", line.unwrap_or_default());
    }
}
