//! Random operations, eight at once, on a driver that is killed again and again, against a model of what there must
//! be.
//!
//! `ORLOP_STORM_OPERATIONS` says how many, `ORLOP_STORM_SEED` which: a seed decides what each worker and the killer
//! do, though not what the machine makes of it. A call that a death cut off may have been carried out or not: it is
//! made again, as an orchestrator does, and then its answer is final.

mod harbour;
mod sea;
mod worker;
mod world;

use std::path::Path;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use orlop::sys::mount::MountOptions;
use tokio::task::{JoinSet, LocalSet};

use self::sea::{POOLS, Sea};
use self::worker::Worker;
use crate::dice::Dice;
use crate::fuzzer::number;
use crate::left::{Swept, assert_nothing_left};
use crate::support::{Image, Mounted, block_on, in_mount_namespace, new_dir};

const WORKERS: usize = 8;

/// How many operations there are when nobody says: some 20 seconds of them.
const USUAL: usize = 1_000;

/// Enough for all that the workers can have at a time.
const SIZE: u64 = 64 << 30;

/// > However many calls are made at once and however often the driver is killed meanwhile, no byte is lost, nothing
/// > is leaked, and no volume is stuck.
#[test]
fn eight_at_once_on_a_driver_that_dies_lose_nothing() {
    in_mount_namespace();
    let operations = number("ORLOP_STORM_OPERATIONS").unwrap_or(USUAL);
    let seed = number("ORLOP_STORM_SEED").unwrap_or_else(any_seed);
    eprintln!("ORLOP_STORM_SEED={seed} ORLOP_STORM_OPERATIONS={operations}");

    let dir = tempfile::tempdir().unwrap();
    let image = Image::formatted(dir.path(), "pool.img", SIZE, "xfs");
    // What is deleted is given back to the machine's disk, which is smaller than all that is ever written.
    let discard = MountOptions { flags: vec!["discard".to_owned()], ..MountOptions::default() };
    let at = new_dir(dir.path(), "pool");
    let mounted = Mounted::with("xfs", &image.attach().device.path, &at, &discard);
    for pool in POOLS {
        new_dir(&at, pool);
    }
    let swept = Swept(dir.path().to_owned());
    block_on(LocalSet::new().run_until(storm(dir.path(), seed, operations)));
    drop((swept, mounted, image));
}

fn any_seed() -> usize {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    usize::try_from(now.as_nanos() % (1 << 32)).unwrap()
}

async fn storm(room: &Path, seed: usize, operations: usize) {
    let mut dice = Dice::new(u64::try_from(seed).unwrap());
    let sea = Rc::new(Sea::new(room, operations));
    let before = harbour::capacities(&sea).await;
    let mut workers: Vec<_> =
        (0..WORKERS).map(|number| Worker::new(&sea, number, Dice::new(dice.roll()))).collect();

    let began = Instant::now();
    let work = all(workers, |mut worker| async move {
        worker.work().await;
        worker
    });
    workers = tokio::select! {
        workers = work => workers,
        () = sea.rage(dice) => unreachable!("it goes on for ever"),
    };
    let took = began.elapsed();
    eprintln!("{operations} operations in {took:.0?}, {} deaths", sea.deaths());

    sea.calm();
    workers = all(workers, |mut worker| async move {
        worker.verify().await;
        worker
    })
    .await;
    all(workers, |mut worker| async move {
        worker.clear().await;
        worker
    })
    .await;
    harbour::is_empty(&sea, &before).await;
    assert_nothing_left(room, &["pool/thin", "pool/thick"]);
    sea.stop();
}

/// Lets all of them do it at once, and returns them; the first that panics ends all.
async fn all<F: Future<Output = Worker> + 'static>(
    workers: Vec<Worker>,
    work: impl Fn(Worker) -> F,
) -> Vec<Worker> {
    let mut tasks = JoinSet::new();
    for worker in workers {
        tasks.spawn_local(work(worker));
    }
    let mut done = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(worker) => done.push(worker),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    done
}
