//! A group snapshot of mounted volumes that are all being written: for how long their writers wait.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::client::{Client, Source};
use crate::driver::Result;
use crate::figure::{Bar, Figure, Measure};
use crate::pool::Pool;
use crate::rounds::{median, millis};

const VOLUMES: u32 = 8;
const SIZE: u64 = 1 << 30;

/// What a writer writes again and again, so that the pool does not fill: a part of its volume, in small pieces.
const FILE: u64 = 64 << 20;
const PIECE: [u8; 4096] = [0x5A; 4096];
const PAUSE: Duration = Duration::from_micros(100);
/// How long the writers write before the cut.
const RUN_UP: Duration = Duration::from_millis(500);

/// The lines of the driver that tell how long everything was frozen.
const LEVEL: &str = "info,orlop::backend::image::copy=debug";
const FROZEN: &str = "frozen=";

/// A volume, mounted, and written to until this is stopped.
#[derive(Debug)]
struct Written {
    id: String,
    staging: PathBuf,
    done: Arc<AtomicBool>,
    writer: JoinHandle<std::io::Result<Duration>>,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let dir = bench.dir("group")?;
    let pool = Pool::make(&dir, 64 << 30).await?;
    let driver = bench.start_telling(&pool, &dir, LEVEL).await?;
    let client = driver.client();
    let (mut frozen, mut waited) = (Vec::new(), Vec::new());
    for round in 0..=bench.rounds {
        eprintln!("group: round {round} of {}", bench.rounds);
        let longest = one_round(bench, client, round).await?;
        pool.settled().await?;
        if round > 0 {
            waited.push(millis(longest));
            frozen.push(millis(last_frozen(&dir.join("log"))?));
        }
    }
    driver.stop().await?;
    let what = format!("group snapshot of {VOLUMES} mounted volumes, each with a writer");
    let measure = |values: &[f64]| Measure { value: median(values), unit: "ms" };
    Ok(vec![
        Figure::alone(format!("{what}: frozen"), measure(&frozen), Bar::AtMost(250.0)),
        Figure::alone("the longest that one of their writes took", measure(&waited), Bar::None),
    ])
}

/// Cuts a group of volumes that are being written, and returns the longest that any write took.
async fn one_round(bench: &Bench, client: &Client, round: u32) -> Result<Duration> {
    let mut volumes = Vec::new();
    for number in 0..VOLUMES {
        let id = client.create(&format!("member-{round}-{number}"), SIZE, Source::Nothing).await?;
        let staging = bench.dir(&format!("group/staging-{number}"))?;
        client.stage(&id, &staging).await?;
        volumes.push(Written::begin(id, staging)?);
    }
    tokio::time::sleep(RUN_UP).await;
    let ids: Vec<_> = volumes.iter().map(|volume| volume.id.as_str()).collect();
    let group = client.group(&format!("group-{round}"), &ids).await?;
    let mut longest = Duration::ZERO;
    for volume in volumes {
        longest = longest.max(volume.end(client).await?);
    }
    client.delete_group(&group).await?;
    Ok(longest)
}

/// Returns for how long the driver says that the last group was frozen: from before the first freeze until after
/// the last thaw.
fn last_frozen(log: &Path) -> Result<Duration> {
    let log = std::fs::read_to_string(log)?;
    let told = log.lines().rev().find_map(|line| Some(line.split_once(FROZEN)?.1));
    let told = told.and_then(|rest| rest.split_whitespace().next());
    let told = told.ok_or("the driver does not say how long the group was frozen")?;
    parse(told).ok_or_else(|| format!("{told} is no duration").into())
}

/// Reads a duration as Rust prints it.
fn parse(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| c.is_alphabetic() || c == 'µ')?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

// === impl Written ===

impl Written {
    fn begin(id: String, staging: PathBuf) -> Result<Self> {
        let file = File::create(staging.join("file"))?;
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let writer = std::thread::spawn(move || write(&file, &stop));
        Ok(Self { id, staging, done, writer })
    }

    /// Stops the writer, deletes the volume, and returns the longest that a write took.
    async fn end(self, client: &Client) -> Result<Duration> {
        self.done.store(true, Ordering::Relaxed);
        let longest = self.writer.join().map_err(|_panic| "a writer has panicked")??;
        client.unstage(&self.id, &self.staging).await?;
        client.delete(&self.id).await?;
        Ok(longest)
    }
}

/// Writes until it is told to stop, and returns the longest that one write took.
fn write(file: &File, done: &AtomicBool) -> std::io::Result<Duration> {
    let (mut longest, mut at) = (Duration::ZERO, 0);
    while !done.load(Ordering::Relaxed) {
        let began = Instant::now();
        file.write_all_at(&PIECE, at)?;
        longest = longest.max(began.elapsed());
        at = (at + PIECE.len() as u64) % FILE;
        std::thread::sleep(PAUSE);
    }
    Ok(longest)
}
