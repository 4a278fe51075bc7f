//! How long processes had a processor: of the time that work takes on a busy machine, the part that is its own.

use crate::driver::Result;

/// The unit of the kernel's answer, on every machine that Orlop runs on.
const TICK_MILLIS: f64 = 10.0;

/// Returns the milliseconds of this process and of the programs that it started and that have ended.
pub(crate) fn millis_of_this() -> Result<f64> {
    millis_of(std::process::id())
}

/// Returns the milliseconds of a process and of the programs that it started and that have ended.
pub(crate) fn millis_of(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path)?;
    parse(&stat).ok_or_else(|| format!("{path} says nothing of processor time").into())
}

/// Sums up what a `stat` file has in its fields utime, stime, cutime and cstime.
fn parse(stat: &str) -> Option<f64> {
    // The second field is the program's name in brackets, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(4).map(str::parse);
    let ticks: Vec<u32> = ticks.collect::<std::result::Result<_, _>>().ok()?;
    Some(ticks.into_iter().map(f64::from).sum::<f64>() * TICK_MILLIS)
}
