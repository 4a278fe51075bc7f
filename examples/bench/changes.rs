//! Which blocks changed between two snapshots of a large volume, and what it takes to find out.

mod image;

use std::path::{Path, PathBuf};
use std::time::Instant;

use orlop::csi::v1::GetMetadataDeltaRequest;
use orlop::sys::loopdev::{self, Backing};

use crate::bench::Bench;
use crate::client::Source;
use crate::driver::{Driver, Result};
use crate::figure::{Bar, Figure, Measure};
use crate::memory;
use crate::pool::Pool;
use crate::rounds::{median, millis_since};

const SIZE: u64 = 100 << 30;
const WRITTEN: u64 = 10 << 30;
const CHANGED: u64 = 1 << 30;

/// What is asked about.
#[derive(Debug)]
struct Pair {
    base: String,
    target: String,
    /// How many bytes of the later one are not as in the earlier one.
    changed: u64,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let dir = bench.dir("changes")?;
    let pool = Pool::make(&dir, 200 << 30).await?;
    let driver = bench.start(&pool, &dir).await?;
    let pair = make(&driver, &pool).await?;
    let device = device_below(pool.file())?;
    memory::forget_peak(driver.pid())?;
    let before = bytes_read(&device)?;
    let mut all = Vec::new();
    for _ in 0..=bench.rounds {
        all.push(ask(&driver, &pair).await?);
    }
    let read = bytes_read(&device)?.saturating_sub(before);
    let peak = memory::peak(driver.pid())?;
    driver.stop().await?;
    let pieces = pair.changed / 4096;
    let what =
        format!("changed blocks of 100 GiB: 10 GiB written, {pieces} blocks changed at random");
    let figure =
        |what, value, unit, most| Figure::alone(what, Measure { value, unit }, Bar::AtMost(most));
    let read = f64::from(u32::try_from(read >> 10)?) / 1024.0;
    Ok(vec![
        figure(what, median(&all), "ms", 1000.0),
        figure("data read for all that".to_owned(), read, "MiB", 1.0),
        figure("resident memory meanwhile, at most".to_owned(), peak, "MiB", 16.0),
    ])
}

/// Makes a volume, writes to its image as its device would, and cuts a snapshot before and after the changes.
async fn make(driver: &Driver, pool: &Pool) -> Result<Pair> {
    let client = driver.client();
    let id = client.create("pvc-changes", SIZE, Source::Nothing).await?;
    let image = pool.of_driver().join("volumes").join(&id).join("data.img");
    eprintln!("changes: writing 10 GiB");
    let written = image::write(&image, WRITTEN).await?;
    let base = client.snapshot("base", &id).await?;
    eprintln!("changes: changing 1 GiB of them at random");
    let changed = image::change(&image, written, CHANGED).await?;
    let target = client.snapshot("target", &id).await?;
    Ok(Pair { base, target, changed })
}

/// Asks for the changes, checks that they are all there, and returns how many milliseconds that took.
async fn ask(driver: &Driver, pair: &Pair) -> Result<f64> {
    let request = GetMetadataDeltaRequest {
        base_snapshot_id: pair.base.clone(),
        target_snapshot_id: pair.target.clone(),
        ..GetMetadataDeltaRequest::default()
    };
    let began = Instant::now();
    let told = driver.client().changed(request).await?;
    let took = millis_since(began);
    if told != pair.changed {
        return Err(format!("{told} bytes are told as changed, not {}", pair.changed).into());
    }
    Ok(took)
}

/// Returns the file in which the kernel counts what is read from the device of a pool file.
fn device_below(file: &Path) -> Result<PathBuf> {
    let devices = loopdev::find(&Backing::of(file)?)?;
    let device = devices.first().ok_or("the pool has no device")?;
    let name = device.path.file_name().ok_or("the device has no name")?;
    Ok(Path::new("/sys/block").join(name).join("stat"))
}

/// Returns how many bytes were ever read from the device.
fn bytes_read(stat: &Path) -> Result<u64> {
    const SECTOR: u64 = 512;
    let text = std::fs::read_to_string(stat)?;
    let sectors = text.split_whitespace().nth(2).ok_or("the kernel does not count what is read")?;
    Ok(sectors.parse::<u64>()? * SECTOR)
}
