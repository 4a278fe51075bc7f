//! fio: what is asked of it, and what it answers.

use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;

use crate::driver::Result;
use crate::program;

/// How long each run takes.
const SECONDS: u32 = 3;

/// How a file is read or written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    /// As the table has it.
    pub(crate) name: &'static str,
    /// fio's name for it.
    pub(crate) pattern: &'static str,
    /// In fio's form.
    pub(crate) block_size: &'static str,
    /// What is counted.
    pub(crate) counted: Counted,
}

/// What a run is measured by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted {
    Operations,
    Bytes,
}

// === impl Job ===

impl Job {
    pub(crate) const ALL: [Self; 4] = [
        Self {
            name: "4 KiB random reads",
            pattern: "randread",
            block_size: "4k",
            counted: Counted::Operations,
        },
        Self {
            name: "4 KiB random writes",
            pattern: "randwrite",
            block_size: "4k",
            counted: Counted::Operations,
        },
        Self {
            name: "1 MiB sequential reads",
            pattern: "read",
            block_size: "1m",
            counted: Counted::Bytes,
        },
        Self {
            name: "1 MiB sequential writes",
            pattern: "write",
            block_size: "1m",
            counted: Counted::Bytes,
        },
    ];

    /// Returns the unit of what [`Job::run`] returns.
    pub(crate) fn unit(self) -> &'static str {
        match self.counted {
            Counted::Operations => "IOPS",
            Counted::Bytes => "MiB/s",
        }
    }

    /// Runs fio on the file for a while.
    pub(crate) async fn run(self, file: &Path) -> Result<f64> {
        let arguments = [
            format!("--rw={}", self.pattern),
            format!("--bs={}", self.block_size),
            format!("--runtime={SECONDS}"),
            "--time_based".to_owned(),
            "--ramp_time=500ms".to_owned(),
        ];
        let text = fio(file, &arguments).await?;
        parse(&text, self).ok_or_else(|| "fio reports nothing of what it was asked".into())
    }
}

/// Writes the whole file once, so that no run has to wait for space.
pub(crate) async fn fill(file: &Path) -> Result<()> {
    fio(file, &["--rw=write".to_owned(), "--bs=1m".to_owned(), "--end_fsync=1".to_owned()]).await?;
    Ok(())
}

async fn fio(file: &Path, arguments: &[String]) -> Result<String> {
    let common = ["--name=bench", "--size=1g", "--ioengine=libaio", "--direct=1", "--iodepth=16"];
    let mut filename = OsString::from("--filename=");
    filename.push(file);
    let common = common.into_iter().chain(["--output-format=json"]).map(OsString::from);
    let arguments = common.chain([filename]).chain(arguments.iter().map(OsString::from));
    let output = program::run("fio", arguments).await?;
    if output.success { Ok(output.text) } else { Err(format!("fio: {}", output.errors).into()) }
}

/// Returns what the report says of the job.
fn parse(text: &str, job: Job) -> Option<f64> {
    // Warnings may stand before the report.
    let report: Value = serde_json::from_str(text.get(text.find('{')?..)?).ok()?;
    let direction = if job.pattern.ends_with("read") { "read" } else { "write" };
    let side = report.get("jobs")?.get(0)?.get(direction)?;
    match job.counted {
        Counted::Operations => side.get("iops")?.as_f64(),
        Counted::Bytes => Some(side.get("bw_bytes")?.as_f64()? / f64::from(1 << 20)),
    }
}
