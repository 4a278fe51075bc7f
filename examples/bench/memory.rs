//! What the idle driver takes of the memory.

use std::time::Duration;

use crate::bench::Bench;
use crate::driver::Result;
use crate::figure::{Bar, Figure, Measure};
use crate::many::{record_of, write};
use crate::pool::Pool;

const VOLUMES: usize = 1000;
const SIZE: u64 = 300 << 20;

/// How long the driver rests before it is looked at.
const REST: Duration = Duration::from_secs(2);

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let dir = bench.dir("memory")?;
    let pool = Pool::make(&dir, 64 << 30).await?;
    let empty = resident(bench, &pool).await?;
    let driver = bench.start(&pool, &dir).await?;
    let record = record_of(driver.client(), &pool, SIZE).await?;
    driver.stop().await?;
    write(&pool, &record, VOLUMES).await?;
    let full = resident(bench, &pool).await?;
    let figure =
        |what, value, most| Figure::alone(what, Measure { value, unit: "MiB" }, Bar::AtMost(most));
    Ok(vec![
        figure("resident memory, idle".to_owned(), empty, 8.0),
        figure(format!("resident memory, idle, with {VOLUMES} volumes"), full, 16.0),
    ])
}

/// Returns the MiB that a driver has which answered, listed what there is, and rests.
async fn resident(bench: &Bench, pool: &Pool) -> Result<f64> {
    let driver = bench.start(pool, &bench.dir("memory")?).await?;
    let listed = driver.client().count().await?;
    tokio::time::sleep(REST).await;
    let resident = of(driver.pid(), &format!("{listed} volumes"))?;
    driver.stop().await?;
    Ok(resident)
}

/// Returns how many MiB the process has, and says what they consist of.
pub(crate) fn of(pid: u32, what: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |key| field(&status, key).ok_or(format!("the kernel does not say {key}"));
    let (anon, file) = (kib("RssAnon:")?, kib("RssFile:")?);
    eprintln!("memory: {what}: {anon} KiB of its own, {file} KiB of its program file");
    Ok(kib("VmRSS:")? / 1024.0)
}

/// Lets the kernel forget how much memory the process ever had.
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    const PEAK: &str = "5";
    Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), PEAK)?)
}

/// Returns how many MiB the process had at most since then.
pub(crate) fn peak(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(field(&status, "VmHWM:").ok_or("the kernel does not say VmHWM:")? / 1024.0)
}

/// Returns the number behind the key in the text of a `status` file.
fn field(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}
