//! The driver that all workers share, and that dies again and again.

use std::cell::{Cell, RefCell};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tonic::transport::Channel;
use tonic::{Code, Status};

use super::world::World;
use crate::dice::Dice;
use crate::driver::{connect_lazily, text};
use crate::process::Process;

/// Longer than anything may take on a busy machine: what takes longer is stuck.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long a driver lives at most.
const LONGEST_LIFE: usize = 2_000;

/// At which of the steps that change the disk a driver may be told to die.
const STEPS: usize = 120;

pub(super) const POOLS: [&str; 2] = ["thin", "thick"];

const CONFIG: &str = "attach: on
pools:
- {name: thin, kind: image, path: ROOM/pool/thin, provisioning: thin, ratio: 10}
- {name: thick, kind: image, path: ROOM/pool/thick, provisioning: thick, shared: accepted}
";

/// The driver of the moment, and what there must be.
#[derive(Debug)]
pub(super) struct Sea {
    pub(super) room: PathBuf,
    pub(super) world: RefCell<World>,
    process: RefCell<Option<Process>>,
    channel: RefCell<Channel>,
    /// How many drivers there were before this one.
    age: Cell<u64>,
    left: Cell<usize>,
}

// === impl Sea ===

impl Sea {
    /// Starts the first driver; `operations` is how many there will be in all.
    pub(super) fn new(room: &Path, operations: usize) -> Self {
        let process = start(room, &[]);
        let channel = RefCell::new(connect_lazily(process.socket.clone()));
        Self {
            room: room.to_owned(),
            world: RefCell::default(),
            process: RefCell::new(Some(process)),
            channel,
            age: Cell::new(0),
            left: Cell::new(operations),
        }
    }

    pub(super) fn goes_on(&self) -> bool {
        self.left.get() > 0
    }

    /// Counts an operation.
    pub(super) fn count(&self) {
        self.left.set(self.left.get().saturating_sub(1));
    }

    /// Returns how many drivers have died.
    pub(super) fn deaths(&self) -> u64 {
        self.age.get()
    }

    /// Makes the call again and again until its answer is final: over the deaths of drivers, and while the volume
    /// is busy.
    pub(super) async fn settle<A>(
        &self,
        what: &str,
        call: impl AsyncFn(Channel) -> Result<A, Status>,
    ) -> Result<A, Status> {
        let began = Instant::now();
        loop {
            let age = self.age.get();
            let channel = self.channel.borrow().clone();
            let answer = tokio::time::timeout(PATIENCE, call(channel)).await;
            let status = match answer.unwrap_or_else(|_| panic!("{what}: no answer")) {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            assert!(began.elapsed() < PATIENCE, "{what} is stuck: {status:?}");
            if was_cut(&status) {
                while self.age.get() == age {
                    assert!(began.elapsed() < PATIENCE, "{what}: cut off by nothing: {status:?}");
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            } else if status.code() != Code::Aborted {
                return Err(status);
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Ends drivers at random and starts others, for ever.
    pub(super) async fn rage(&self, mut dice: Dice) {
        loop {
            let life = Duration::from_millis(u64::try_from(dice.below(LONGEST_LIFE)).unwrap());
            let began = Instant::now();
            while began.elapsed() < life && !self.has_ended() {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            let gently = dice.one_in(6);
            self.end(gently);
            let step = (1 + dice.below(STEPS)).to_string();
            let doomed = [("ORLOP_KILL_AT_STEP", &*step)];
            self.replace(start(&self.room, if dice.one_in(2) { &doomed } else { &[] }));
        }
    }

    /// Gives the workers a driver that stays.
    pub(super) fn calm(&self) {
        self.end(false);
        self.replace(start(&self.room, &[]));
    }

    /// Returns the process id of the driver.
    pub(super) fn pid(&self) -> nix::unistd::Pid {
        self.process.borrow().as_ref().unwrap().pid()
    }

    /// Ends the last driver as a node that is shut down does.
    pub(super) fn stop(&self) {
        let process = self.process.borrow_mut().take().unwrap();
        assert_healthy(&process.said());
        assert!(process.stop().success());
    }

    fn has_ended(&self) -> bool {
        self.process.borrow_mut().as_mut().unwrap().ended().is_some()
    }

    fn end(&self, gently: bool) {
        let mut process = self.process.borrow_mut().take().unwrap();
        let said = process.said();
        assert_healthy(&said);
        if let Some(status) = process.ended() {
            assert_eq!(status.signal(), Some(9), "a driver ended by itself:\n{said}");
        } else if gently {
            let status = process.stop();
            assert!(status.success() || status.signal() == Some(9), "{status}:\n{said}");
        } else {
            process.kill();
        }
        // A log of one life is enough to see what went wrong, and all of them are too much for a disk.
        std::fs::rename(self.room.join("log"), self.room.join("log before")).unwrap();
    }

    fn replace(&self, process: Process) {
        *self.channel.borrow_mut() = connect_lazily(process.socket.clone());
        *self.process.borrow_mut() = Some(process);
        self.age.set(self.age.get() + 1);
    }
}

fn start(room: &Path, variables: &[(&str, &str)]) -> Process {
    Process::start(room, &CONFIG.replace("ROOM", &text(room)), variables)
}

/// Whether the connection broke, which the client says itself; what a driver says has no source.
fn was_cut(status: &Status) -> bool {
    std::error::Error::source(status).is_some() || status.code() == Code::Unavailable
}

fn assert_healthy(said: &str) {
    for word in ["panicked at", "code=\"INTERNAL\"", "code=\"UNKNOWN\""] {
        let line = said.lines().find(|line| line.contains(word));
        assert!(line.is_none(), "{}", line.unwrap_or_default());
    }
}
