//! What every row needs: the program, a room, and how often.

use std::path::{Path, PathBuf};

use crate::driver::{Driver, Result};
use crate::options::Options;
use crate::pool::Pool;
use crate::room::Room;

/// What every row needs.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) orlop: PathBuf,
    pub(crate) rounds: u32,
    /// For how many minutes an idle cluster is watched.
    pub(crate) idle: u32,
    room: Room,
}

// === impl Bench ===

impl Bench {
    pub(crate) fn new(room: Room, options: &Options) -> Result<Self> {
        let orlop = std::path::absolute(&options.orlop)?;
        if !orlop.is_file() {
            return Err(format!("{} is missing: run `make build`", orlop.display()).into());
        }
        Ok(Self { orlop, rounds: options.rounds, idle: options.idle, room })
    }

    /// Makes the directory `name` in the room.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf> {
        self.room.dir(name)
    }

    /// Starts the driver on the pool, with its state in `dir`.
    pub(crate) async fn start(&self, pool: &Pool, dir: &Path) -> Result<Driver> {
        self.start_with(pool, dir, "").await
    }

    /// Starts the driver with more lines of config.
    pub(crate) async fn start_with(&self, pool: &Pool, dir: &Path, more: &str) -> Result<Driver> {
        Driver::start(&self.orlop, dir, &(configuration(pool, dir) + more)).await
    }

    /// Starts the driver likewise, with a log of this level.
    pub(crate) async fn start_telling(
        &self,
        pool: &Pool,
        dir: &Path,
        level: &str,
    ) -> Result<Driver> {
        Driver::start_telling(&self.orlop, dir, &configuration(pool, dir), level).await
    }
}

fn configuration(pool: &Pool, dir: &Path) -> String {
    let (state, path) = (dir.join("state"), pool.of_driver());
    let (state, path) = (state.display(), path.display());
    format!(
        "nodeId: bench\nfreezeLimit: 60s\nstateDir: {state}\npools:\n  - {{name: bench, kind: image, path: {path}, provisioning: thin, ratio: 100}}\n"
    )
}
