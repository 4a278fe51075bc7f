//! How long the conformance suite takes, with its default flags, against a driver without a config.

mod place;

use std::path::Path;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::bench::Bench;
use crate::driver::{Driver, Result};
use crate::figure::{Bar, Figure, Measure};
use crate::program;
use crate::room::own_namespace;
use crate::rounds::{median, millis_since};
use place::Place;

const SOCKET: &str = "/run/orlop/csi.sock";

/// What runs in a thread of its own; it is told to end, and waited for, when this is dropped.
struct Thread {
    outcome: Option<oneshot::Receiver<Result<Vec<Figure>>>>,
    handle: Option<std::thread::JoinHandle<()>>,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/bin/csi-sanity");
    if !suite.exists() {
        return Err(format!("{} is missing: run `make tools`", suite.display()).into());
    }
    let (room, orlop, rounds) = (bench.dir("sanity")?, bench.orlop.clone(), bench.rounds);
    let (outcome, receiver) = oneshot::channel();
    // A mount namespace belongs to a thread: this one shows the driver directories of the room where it looks
    // for its own.
    let handle = std::thread::spawn(move || {
        in_namespace(outcome, async move {
            let place = Place::make(&room)?;
            let figures = runs(&suite, &orlop, &room, rounds).await;
            drop(place);
            figures
        });
    });
    let mut thread = Thread { outcome: Some(receiver), handle: Some(handle) };
    match &mut thread.outcome {
        Some(outcome) => outcome.await?,
        None => Err("nothing was measured".into()),
    }
}

/// Does the work in a mount namespace of its own, unless nobody waits for it any more.
fn in_namespace(
    mut outcome: oneshot::Sender<Result<Vec<Figure>>>,
    work: impl Future<Output = Result<Vec<Figure>>>,
) {
    let figures = own_namespace().and_then(|()| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            tokio::select! {
                figures = work => figures,
                () = outcome.closed() => Err("interrupted".into()),
            }
        })
    });
    drop(outcome.send(figures));
}

async fn runs(suite: &Path, orlop: &Path, room: &Path, rounds: u32) -> Result<Vec<Figure>> {
    let began = Instant::now();
    let driver = Driver::start_as(orlop, &[], Path::new(SOCKET), &room.join("log")).await?;
    let first_start = millis_since(began);
    let mut all = Vec::new();
    for round in 1..=rounds {
        eprintln!("sanity: round {round} of {rounds}");
        let began = Instant::now();
        let endpoint = format!("--csi.endpoint=unix:{SOCKET}");
        let output = program::run(suite, [endpoint.as_str(), "--ginkgo.no-color"]).await?;
        all.push(began.elapsed().as_secs_f64());
        let summary =
            output.text.lines().rev().find(|line| line.contains("Passed")).unwrap_or_default();
        eprintln!("sanity: {}", summary.trim());
        if !output.success {
            return Err(format!("csi-sanity failed:\n{}{}", output.text, output.errors).into());
        }
    }
    driver.stop().await?;
    let first_start = Measure { value: first_start, unit: "ms" };
    let took = Measure { value: median(&all), unit: "s" };
    Ok(vec![
        Figure::alone(
            "csi-sanity with its default flags, no config: 0 failed",
            took,
            Bar::AtMost(3.0),
        ),
        Figure::alone("the first start with no config, pool made", first_start, Bar::None),
    ])
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.outcome = None;
        if let Some(handle) = self.handle.take() {
            drop(handle.join());
        }
    }
}
