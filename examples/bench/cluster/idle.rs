//! What a controller and a node ask the API server for while nobody asks them.

use std::time::Duration;

use super::cast::{Cast, of_images};
use crate::client::Source;
use crate::driver::Result;
use crate::figure::{Bar, Figure, Measure};
use crate::tests::rig::{Event, Mark, Rig};

const VOLUMES: usize = 100;
const SIZE: u64 = 1 << 30;

/// What is still to be told of the last volumes is told after a minute.
const SETTLED: Duration = Duration::from_secs(70);

pub(super) async fn measure(rig: &Rig, minutes: u32) -> Result<Vec<Figure>> {
    let cast = Cast::start(rig, 1, &of_images(rig)).await?;
    for number in 0..VOLUMES {
        cast.client.create(&format!("pvc-{number}"), SIZE, Source::Nothing).await?;
    }
    eprintln!("cluster-idle: {minutes} minutes of nothing");
    tokio::time::sleep(SETTLED).await;
    let begin = rig.audit().now();
    tokio::time::sleep(Duration::from_mins(1) * minutes).await;
    // Of a watch there is an entry for its begin and one for its end.
    let of =
        |mark| rig.audit().since(mark).into_iter().filter(|one| one.stage == "ResponseComplete");
    let (ever, since): (Vec<_>, Vec<_>) = (of(Mark::BEGINNING).collect(), of(begin).collect());
    let mut figures = Vec::new();
    for (program, of_pools) in [("orlop-controller/", 0), ("orlop-node/", minutes)] {
        let name = program.trim_end_matches('/');
        let by_it = |one: &&Event| one.user_agent.starts_with(program);
        if !ever.iter().any(|one| by_it(&one)) {
            return Err(format!("the API server knows of no {name}").into());
        }
        let (watches, all): (Vec<_>, Vec<_>) =
            since.iter().filter(by_it).partition(|one| one.verb == "watch");
        let (told, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|one| one.verb == "patch" && one.is_about("pools/status"));
        eprintln!("cluster-idle: {name}: {} watches have ended and begun again", watches.len());
        for other in &others {
            eprintln!("cluster-idle: {name}: {} {}", other.verb, other.uri);
        }
        let what = format!("an idle {name} with {VOLUMES} volumes in {minutes} minutes");
        figures.push(figure(format!("{what}: tells of its pool"), &told, of_pools)?);
        figures.push(figure(
            format!("{what}: requests that are neither that nor watches"),
            &others,
            0,
        )?);
    }
    Ok(figures)
}

fn figure(what: String, events: &[&Event], most: u32) -> Result<Figure> {
    let value = f64::from(u32::try_from(events.len())?);
    Ok(Figure::alone(what, Measure { value, unit: "requests" }, Bar::AtMost(f64::from(most))))
}
