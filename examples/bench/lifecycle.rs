//! Volumes from create to delete, many of them at once.

use std::cell::RefCell;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::bench::Bench;
use crate::by_hand::ByHand;
use crate::client::{Client, Source};
use crate::driver::Result;
use crate::figure::{Bar, Figure};
use crate::many::record_of;
use crate::pool::Pool;
use crate::processor::{millis_of, millis_of_this};
use crate::rounds::{Compared, interleaved, millis_since};

const VOLUMES: u32 = 200;
const AT_ONCE: usize = 16;
const SIZE: u64 = 1 << 30;
/// A quarter of the rounds is a twentieth off the median, either way: few would tell of the machine's neighbours.
const ROUNDS_AT_LEAST: u32 = 25;
const BEFORE_AGAIN: Duration = Duration::from_millis(5);
const BAR: Bar = Bar::RatioAtMost(1.15);

/// The paths that one worker uses again and again, as kubelet would have made them.
#[derive(Debug, Clone)]
struct Paths {
    staging: PathBuf,
    target: PathBuf,
}

/// One of the two ways to give a volume its life.
#[derive(Debug, Clone)]
enum Way {
    Orlop(Box<Client>),
    ByHand(ByHand),
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let dir = bench.dir("lifecycle")?;
    let pool = Pool::make(&dir, 64 << 30).await?;
    let driver = bench.start(&pool, &dir).await?;
    let record = record_of(driver.client(), &pool, SIZE).await?;
    let by_hand = ByHand::new(pool.by_hand(), record).await?;
    let (ours, theirs) =
        (Way::Orlop(Box::new(driver.client().clone())), Way::ByHand(by_hand.clone()));
    let workers = workers(&dir)?;
    let (used, used_by_hand) = (RefCell::default(), RefCell::default());
    let rounds = interleaved(
        bench.rounds.max(ROUNDS_AT_LEAST),
        "lifecycle",
        async |round| {
            let used_before = millis_of(driver.pid())? + millis_of_this()?;
            let began = Instant::now();
            all(&ours, round, &workers).await?;
            pool.settled().await?;
            let took = millis_since(began);
            note(&used, round, millis_of(driver.pid())? + millis_of_this()? - used_before);
            Ok(took)
        },
        async |round| {
            let used_before = millis_of_this()?;
            let began = Instant::now();
            all(&theirs, round, &workers).await?;
            by_hand.settled().await?;
            let took = millis_since(began);
            note(&used_by_hand, round, millis_of_this()? - used_before);
            Ok(took)
        },
    );
    let rounds = rounds.await?;
    driver.stop().await?;
    let used = Compared::of(used.into_inner(), used_by_hand.into_inner());
    let what = format!("{VOLUMES} volumes from create to delete, {AT_ONCE} at once");
    Ok(vec![
        Figure::compared(what, &rounds, "ms", BAR),
        Figure::compared(
            "their processor time, client and programs included",
            &used,
            "ms",
            Bar::None,
        ),
    ])
}

/// Keeps what a round used of the processors; the round that warms up does not count.
fn note(used: &RefCell<Vec<f64>>, round: u32, millis: f64) {
    if round > 0 {
        used.borrow_mut().push(millis);
    }
}

/// Gives all volumes their life, and returns when the last one is deleted.
async fn all(way: &Way, round: u32, workers: &[Paths]) -> Result<()> {
    let next = Arc::new(AtomicU32::new(0));
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    for paths in workers {
        let (way, next, paths) = (way.clone(), Arc::clone(&next), paths.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= VOLUMES {
                    return Ok(());
                }
                way.life(&format!("pvc-{round}-{number}"), &paths).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

fn workers(dir: &Path) -> Result<Vec<Paths>> {
    let make = |worker| {
        let staging = dir.join(format!("staging/{worker}"));
        let pod = dir.join(format!("pods/{worker}"));
        std::fs::create_dir_all(&staging)?;
        std::fs::create_dir_all(&pod)?;
        Ok(Paths { staging, target: pod.join("mount") })
    };
    (0..AT_ONCE).map(make).collect()
}

/// Makes the call until it is not ABORTED any more, as the sidecars and kubelet do.
async fn again<T, F: Future<Output = Result<T>>>(call: impl Fn() -> F) -> Result<T> {
    loop {
        match call().await {
            Err(why) if is_aborted(&*why) => {
                eprintln!("lifecycle: {why}");
                tokio::time::sleep(BEFORE_AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

fn is_aborted(why: &(dyn Error + 'static)) -> bool {
    why.downcast_ref::<Status>().is_some_and(|status| status.code() == Code::Aborted)
}

// === impl Way ===

impl Way {
    async fn life(&self, name: &str, Paths { staging, target }: &Paths) -> Result<()> {
        match self {
            Self::Orlop(client) => {
                let id = again(|| client.create(name, SIZE, Source::Nothing)).await?;
                again(|| client.stage(&id, staging)).await?;
                again(|| client.publish(&id, staging, target)).await?;
                again(|| client.unpublish(&id, target)).await?;
                again(|| client.unstage(&id, staging)).await?;
                again(|| client.delete(&id)).await
            }
            Self::ByHand(by_hand) => {
                by_hand.create(name, SIZE).await?;
                by_hand.stage(name, staging).await?;
                by_hand.publish(staging, target).await?;
                by_hand.unpublish(target).await?;
                by_hand.unstage(staging).await?;
                by_hand.delete(name).await
            }
        }
    }
}
