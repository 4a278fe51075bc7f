//! Many nodes with many volumes: what the controller takes of the memory, and a node.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::cast::{Cast, in_memory, of_images, pid};
use crate::client::Source;
use crate::driver::Result;
use crate::figure::{Bar, Figure, Measure};
use crate::memory;
use crate::tests::rig::Rig;

const NODES: usize = 100;
const ON_EACH: usize = 100;

/// What they may have, in MiB.
const MOST_OF_A_CONTROLLER: f64 = 48.0;
const MOST_OF_A_NODE: f64 = 16.0;

const SIZE: u64 = 1 << 30;
const AT_ONCE: usize = 16;

/// How long a process rests before it is looked at.
const REST: Duration = Duration::from_secs(2);

pub(super) async fn measure(rig: &Rig) -> Result<Vec<Figure>> {
    eprintln!("cluster-memory: starting {NODES} nodes");
    let mut cast = Cast::start(rig, NODES, &in_memory()).await?;
    let volumes = NODES * ON_EACH;
    eprintln!("cluster-memory: making {volumes} volumes");
    make(&cast, volumes).await?;
    tokio::time::sleep(REST).await;
    let made = memory::of(pid(&cast.controller)?, "the controller that has made them")?;
    let mut most = 0.0_f64;
    for node in &cast.nodes {
        most = most.max(memory::of(pid(node)?, &format!("a node with {ON_EACH}"))?);
    }
    cast.restart_controller().await?;
    let known = cast.client.count().await?;
    if known != volumes {
        return Err(format!("the next controller knows of {known} volumes").into());
    }
    tokio::time::sleep(REST).await;
    let found = memory::of(pid(&cast.controller)?, "the controller that has found them")?;
    let of = format!("with {volumes} volumes on {NODES} nodes");
    Ok(vec![
        figure(
            format!("resident memory of the controller {of}, which it has made"),
            made,
            MOST_OF_A_CONTROLLER,
        ),
        figure(
            "the same, which it has found after a start".to_owned(),
            found,
            MOST_OF_A_CONTROLLER,
        ),
        figure(
            format!("resident memory of a node with {ON_EACH} volumes, at most"),
            most,
            MOST_OF_A_NODE,
        ),
    ])
}

/// A node with a pool of images: its driver has files and devices, too.
pub(super) async fn measure_images(rig: &Rig) -> Result<Vec<Figure>> {
    let cast = Cast::start(rig, 1, &of_images(rig)).await?;
    eprintln!("cluster-memory: making {ON_EACH} volumes in a pool of images");
    make(&cast, ON_EACH).await?;
    tokio::time::sleep(REST).await;
    let [node] = &cast.nodes[..] else { return Err("there is one node".into()) };
    let resident = memory::of(pid(node)?, &format!("a node with {ON_EACH} images"))?;
    if !node.stop().success() {
        return Err(format!("the node failed:\n{}", node.said()).into());
    }
    Ok(vec![figure(
        format!("resident memory of a node with {ON_EACH} volumes in a pool of images"),
        resident,
        MOST_OF_A_NODE,
    )])
}

async fn make(cast: &Cast, volumes: usize) -> Result<()> {
    let client = &cast.client;
    stream::iter(0..volumes)
        .map(async |number| {
            if number % 1000 == 0 {
                eprintln!("cluster-memory: {number} of {volumes}");
            }
            client.create(&format!("pvc-{number}"), SIZE, Source::Nothing).await
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await
}

fn figure(what: String, value: f64, most: f64) -> Figure {
    Figure::alone(what, Measure { value, unit: "MiB" }, Bar::AtMost(most))
}
