//! `make bench`: each figure that Orlop promises, the same by hand in the same run, and whether it holds.
//!
//! A machine is fast or slow, busy or idle; so nothing is compared with a number that was measured elsewhere
//! where it can be compared with the same work done by hand, in turns, in the same minutes. Everything happens
//! in a directory of its own and in a mount namespace of its own, and both are gone afterwards.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints a table, and progress")]

mod bench;
mod by_hand;
mod changes;
#[path = "../shared/client.rs"]
#[allow(dead_code, reason = "each example uses its part")]
mod client;
mod cluster;
mod copies;
#[path = "../shared/driver.rs"]
#[allow(dead_code, reason = "each example uses its part")]
mod driver;
mod figure;
mod fio;
mod group;
mod inline;
mod lifecycle;
mod many;
mod memory;
mod options;
mod pool;
mod processor;
mod program;
#[path = "../shared/room.rs"]
#[allow(dead_code, reason = "each example uses its part")]
mod room;
mod rounds;
mod sanity;
mod scrape;
mod size;
mod start;
mod table;
/// The cluster is that of the tests: a real etcd and API server, in namespaces of their own.
#[path = "../../tests/cluster"]
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "it was written for tests, and the bench uses its part"
)]
mod tests {
    pub(crate) mod rig;
}
mod throughput;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use bench::Bench;
use driver::Result;
use figure::Figure;
use options::{Options, Row};
use room::{Room, own_namespace};

/// Where the room is: on a disk, which a directory for temporary files often is not.
const ROOMS: &str = "/var/tmp";

/// How long what still blocks may take to end after an interruption.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    run(&Options::parse()).unwrap_or_else(|why| {
        let first: &dyn Error = &*why;
        let chain = std::iter::successors(Some(first), |cause| (*cause).source());
        let chain: Vec<_> = chain.map(ToString::to_string).collect();
        eprintln!("bench: {}", chain.join(": "));
        ExitCode::FAILURE
    })
}

fn run(options: &Options) -> Result<ExitCode> {
    if !nix::unistd::geteuid().is_root() {
        return Err("the bench mounts file systems: run it as root (make bench does)".into());
    }
    // Before there are other threads, so that they are in it, too.
    own_namespace()?;
    let room = Room::make(options.room.as_deref().unwrap_or(Path::new(ROOMS)))?;
    let bench = Bench::new(room, options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            figures = measure(&bench, options.rows()) => figures,
            () = interrupted() => Err("interrupted".into()),
        }
    });
    runtime.shutdown_timeout(PATIENCE);
    drop(bench);
    let figures = outcome?;
    println!("{}", table::of(&figures));
    let missed = figures.iter().any(|figure| figure.holds() == Some(false));
    Ok(if missed && options.strict { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(bench: &Bench, rows: Vec<Row>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for row in rows {
        let measured = match row {
            Row::Lifecycle => lifecycle::measure(bench).await,
            Row::Copies => copies::measure(bench).await,
            Row::Group => group::measure(bench).await,
            Row::Changes => changes::measure(bench).await,
            Row::Throughput => throughput::measure(bench).await,
            Row::Start => start::measure(bench).await,
            Row::Memory => memory::measure(bench).await,
            Row::Inline => inline::measure(bench).await,
            Row::Scrape => scrape::measure(bench).await,
            Row::Size => size::measure(bench),
            Row::Cluster => cluster::creates(bench).await,
            Row::ClusterMemory => cluster::memory(bench).await,
            Row::ClusterIdle => cluster::idle(bench).await,
            Row::Sanity => sanity::measure(bench).await,
        };
        eprintln!("{row} is done");
        figures.extend(measured?);
    }
    Ok(figures)
}

async fn interrupted() {
    let wait = async |kind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
    }
}
