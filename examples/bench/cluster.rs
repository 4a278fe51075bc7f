//! A controller and nodes with a real API server between them: what that costs beside one driver on one socket.

mod by_hand;
mod cast;
mod creates;
mod crowd;
mod idle;

use tokio::sync::oneshot;

use crate::bench::Bench;
use crate::driver::Result;
use crate::figure::Figure;
use crate::tests::rig::{self, Rig};

pub(crate) async fn creates(bench: &Bench) -> Result<Vec<Figure>> {
    let rounds = bench.rounds;
    in_a_cluster(bench, async move |rig| creates::measure(&rig, rounds).await).await
}

pub(crate) async fn memory(bench: &Bench) -> Result<Vec<Figure>> {
    let mut figures = in_a_cluster(bench, async move |rig| crowd::measure(&rig).await).await?;
    let images = in_a_cluster(bench, async move |rig| crowd::measure_images(&rig).await);
    figures.extend(images.await?);
    Ok(figures)
}

pub(crate) async fn idle(bench: &Bench) -> Result<Vec<Figure>> {
    let minutes = bench.idle;
    in_a_cluster(bench, async move |rig| idle::measure(&rig, minutes).await).await
}

/// Does the work in a cluster of its own, which is in namespaces that belong to a thread.
async fn in_a_cluster(
    bench: &Bench,
    work: impl AsyncFnOnce(Rig) -> Result<Vec<Figure>> + Send + 'static,
) -> Result<Vec<Figure>> {
    let orlop = bench.orlop.clone();
    let (outcome, figures) = oneshot::channel();
    // Who does not wait any more is interrupted; the cluster ends with this process.
    std::thread::spawn(move || drop(outcome.send(rig::alone_with(orlop, work))));
    figures.await?
}
