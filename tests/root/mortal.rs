//! A life whose driver is killed at every step that changes the disk; a new driver finishes the job.
//!
//! It is lived again and again; in the n-th life the driver dies at the n-th step it reaches. The call that died is then
//! made again to a new driver, as an orchestrator does.

use std::path::Path;
use std::time::{Duration, Instant};

use orlop::sys::mountinfo::MountTable;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::driver::connect;
use crate::process::Process;
use crate::rig::{Ground, loops_below};
use crate::support::{block_on, in_mount_namespace};

const CONFIG: &str = "attach: on\npools: [{name: default, kind: image, path: ROOM/pool, provisioning: thin, ratio: 10}]\n";

/// How long a driver may take to remove what one before it has left.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a driver may take to die of its kill.
const DEATH: Duration = Duration::from_secs(1);

/// The calls of a life, and what they have told.
pub(crate) trait Life {
    /// The names of the calls, in their order; nothing is left after the last one.
    const STEPS: &[&str];

    /// Begins one in an empty room.
    fn begin(room: &Path) -> Self;

    /// Makes one call.
    async fn step(&mut self, driver: &Channel, step: &str) -> Result<(), Status>;
}

/// A driver, which may be the one that dies or the one that comes after it.
struct Driver {
    process: Process,
    channel: Channel,
}

/// Lives the life until one is whole, which takes so many at least.
pub(crate) fn die_at_every_step<L: Life>(least: u32) {
    in_mount_namespace();
    let ground = Ground::new();
    let mut reached = 0;
    for kill in 1.. {
        let died = block_on(live::<L>(ground.path(), kill));
        assert_clean(ground.path(), kill);
        if !died {
            break;
        }
        reached = kill;
    }
    assert!(reached > least, "only {reached} steps in a whole life");
}

/// Lives a whole life whose driver dies at the step, and returns whether it died.
async fn live<L: Life>(room: &Path, kill: u32) -> bool {
    let mut life = L::begin(room);
    let mut driver = Driver::start_to_die(room, kill).await;
    for step in L::STEPS {
        driver = survive(&mut life, driver, room, step, kill).await;
    }
    // The step may be one of the work in the background, reached when the last call was answered.
    let ended = driver.process.stop();
    let died = std::fs::read_to_string(room.join("log")).unwrap().contains("ending here");
    assert!(ended.success() || died, "{ended}");
    clean_up(room);
    std::fs::remove_file(room.join("log")).unwrap();
    died
}

/// Makes the call, and again to a new driver when the old one dies over it. Returns the one that answered.
async fn survive<L: Life>(
    life: &mut L,
    mut driver: Driver,
    room: &Path,
    step: &str,
    kill: u32,
) -> Driver {
    let Err(status) = life.step(&driver.channel, step).await else { return driver };
    // The client may know of the cut connection before that.
    let dead = driver.process.ends_within(DEATH).await;
    assert!(dead, "{step} with a kill at step {kill}: {status:?}");
    let next = Driver::start(room).await;
    // A program of the dead driver may still hold the volume: that is told, and told truly.
    while let Err(status) = life.step(&next.channel, step).await {
        let wait = status.code() == Code::Aborted;
        assert!(wait, "{step} again after a kill at step {kill}: {status:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    next
}

/// Lets a last driver do what is left to do in the background.
fn clean_up(room: &Path) {
    let last = process(room, &[]);
    let count = |place| std::fs::read_dir(room.join("pool").join(place)).unwrap().count();
    let began = Instant::now();
    while count("new") + count("trash") > 0 && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(last.stop().success());
}

fn assert_clean(room: &Path, kill: u32) {
    for place in ["volumes", "snapshots", "groups", "new", "trash"] {
        let left: Vec<_> = std::fs::read_dir(room.join("pool").join(place)).unwrap().collect();
        assert!(left.is_empty(), "left in {place} after a kill at step {kill}: {left:?}");
    }
    let table = MountTable::read().unwrap();
    let pool = room.join("pool");
    let left: Vec<_> =
        table.iter().filter(|mount| mount.at.starts_with(room) && mount.at != pool).collect();
    assert!(left.is_empty(), "left mounted after a kill at step {kill}: {left:?}");
    assert_eq!(loops_below(&pool), Vec::<String>::new(), "after a kill at step {kill}");
    for target in ["target", "target2"] {
        assert!(!room.join(target).exists(), "{target} left after a kill at step {kill}");
    }
}

fn process(room: &Path, variables: &[(&str, &str)]) -> Process {
    Process::start(room, &CONFIG.replace("ROOM", &room.display().to_string()), variables)
}

// === impl Driver ===

impl Driver {
    async fn start(room: &Path) -> Self {
        Self::of(process(room, &[])).await
    }

    /// Starts one that dies at the step, or its successor when it dies while it starts.
    async fn start_to_die(room: &Path, step: u32) -> Self {
        let mut mortal = process(room, &[("ORLOP_KILL_AT_STEP", &step.to_string())]);
        if mortal.ended().is_some() {
            return Self::start(room).await;
        }
        Self::of(mortal).await
    }

    async fn of(process: Process) -> Self {
        let channel = connect(process.socket.clone()).await;
        Self { process, channel }
    }
}
