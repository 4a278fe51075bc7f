//! A create through the objects, beside the same call to one driver, in turns; and what it costs the API server.
//!
//! Where many are made at once, they wait for the API server, which has three writes to do for each. How long that takes
//! it alone is told beside it.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use futures_util::future::try_join_all;

use super::by_hand::ByHand;
use super::cast::{Cast, in_memory, one_driver};
use crate::client::{Client, Source};
use crate::driver::Result;
use crate::figure::{Bar, Figure, Measure};
use crate::rounds::{all_but_a_hundredth, median, millis_since};
use crate::tests::rig::{Mark, Rig};

/// What the objects may cost: it is a round through the API server and back, twice.
const MEDIAN: Bar = Bar::MoreAtMost(30.0);
const HUNDREDTH: Bar = Bar::MoreAtMost(100.0);

/// How many are made one after the other in a round.
const ALONE: usize = 50;
/// How many are made at once, and how often in a round.
const AT_ONCE: usize = 16;
const WAVES: usize = 10;

const SIZE: u64 = 1 << 30;

/// How long each call took.
#[derive(Debug, Default)]
struct Taken {
    through_objects: Vec<f64>,
    by_one_driver: Vec<f64>,
    /// The same three writes by somebody who does nothing else.
    by_hand: Vec<f64>,
}

/// The volumes of a round.
#[derive(Debug, Default)]
struct Made {
    through_objects: Vec<String>,
    by_one_driver: Vec<String>,
}

pub(super) async fn measure(rig: &Rig, rounds: u32) -> Result<Vec<Figure>> {
    let cast = Cast::start(rig, 1, &in_memory()).await?;
    let (_process, one) = one_driver(rig).await?;
    let by_hand = ByHand::new(rig);
    let begin = rig.audit().now();
    let (mut alone, mut at_once) = (Taken::default(), Taken::default());
    for round in 0..=rounds {
        eprintln!("cluster: round {round} of {rounds}");
        let (first, made_alone) = one_by_one(&cast.client, &one, round).await?;
        let (second, made_at_once) = all_at_once(&cast.client, &one, &by_hand, round).await?;
        // The first round warms up.
        if round > 0 {
            alone.add(first);
            at_once.add(second);
        }
        for made in [made_alone, made_at_once] {
            delete(&cast.client, &made.through_objects).await?;
            delete(&one, &made.by_one_driver).await?;
        }
    }
    let mut figures = alone.figures("one after the other");
    figures.extend(at_once.figures("16 at once"));
    figures.extend(at_once.of_api_server());
    figures.extend(writes(rig, begin)?);
    Ok(figures)
}

/// Makes volumes in turns, each way first every other time.
async fn one_by_one(cluster: &Client, one: &Client, round: u32) -> Result<(Taken, Made)> {
    let (mut taken, mut made) = (Taken::default(), Made::default());
    for number in 0..2 * ALONE {
        // Of four calls, the first and the last go one way.
        let name = format!("alone-{round}-{number}");
        if number % 4 == 0 || number % 4 == 3 {
            let (took, id) = create(cluster, &name).await?;
            taken.through_objects.push(took);
            made.through_objects.push(id);
        } else {
            let (took, id) = create(one, &name).await?;
            taken.by_one_driver.push(took);
            made.by_one_driver.push(id);
        }
    }
    Ok((taken, made))
}

async fn all_at_once(
    cluster: &Client,
    one: &Client,
    by_hand: &ByHand,
    round: u32,
) -> Result<(Taken, Made)> {
    let (mut taken, mut made) = (Taken::default(), Made::default());
    for wave in 0..WAVES {
        let names = |way: &str| {
            let name = |number| format!("{way}-{round}-{wave}-{number}");
            (0..AT_ONCE).map(name).collect::<Vec<_>>()
        };
        let (ours, theirs) = (names("objects"), names("one"));
        for (took, id) in try_join_all(ours.iter().map(|name| create(cluster, name))).await? {
            taken.through_objects.push(took);
            made.through_objects.push(id);
        }
        for (took, id) in try_join_all(theirs.iter().map(|name| create(one, name))).await? {
            taken.by_one_driver.push(took);
            made.by_one_driver.push(id);
        }
        let theirs = names("by-hand");
        let writes = theirs.iter().map(async |name| {
            let began = Instant::now();
            let path = by_hand.create(name).await?;
            Ok::<_, Box<dyn Error + Send + Sync>>((millis_since(began), path))
        });
        for (took, path) in try_join_all(writes).await? {
            taken.by_hand.push(took);
            by_hand.delete(&path).await?;
        }
    }
    Ok((taken, made))
}

async fn create(client: &Client, name: &str) -> Result<(f64, String)> {
    let began = Instant::now();
    let id = client.create(name, SIZE, Source::Nothing).await?;
    Ok((millis_since(began), id))
}

async fn delete(client: &Client, ids: &[String]) -> Result<()> {
    for some in ids.chunks(AT_ONCE) {
        try_join_all(some.iter().map(|id| client.delete(id))).await?;
    }
    Ok(())
}

/// Returns how often the volume that was written most was written until it was there, and until it was gone.
fn writes(rig: &Rig, begin: Mark) -> Result<Vec<Figure>> {
    let (mut making, mut removing) = (BTreeMap::new(), BTreeMap::new());
    let events = rig.audit().since(begin).into_iter();
    let by_orlop = events.filter(|one| one.user_agent.starts_with("orlop-"));
    for event in by_orlop.filter(|one| one.is_a_write() && one.object_ref.resource == "volumes") {
        let is_of_create = event.verb == "create" || event.object_ref.subresource == "status";
        let count = if is_of_create { &mut making } else { &mut removing };
        *count.entry(event.object_ref.name).or_insert(0_u32) += 1;
    }
    let most = |counts: BTreeMap<String, u32>| {
        counts.into_values().max().ok_or("the API server was never written to")
    };
    let figure = |what: &str, count: u32, most| {
        let writes = Measure { value: f64::from(count), unit: "writes" };
        Figure::alone(what, writes, Bar::AtMost(most))
    };
    Ok(vec![
        figure("writes to the API server for a create, at most", most(making)?, 3.0),
        figure("writes to the API server for a delete, at most", most(removing)?, 2.0),
    ])
}

// === impl Taken ===

impl Taken {
    fn add(&mut self, other: Self) {
        self.through_objects.extend(other.through_objects);
        self.by_one_driver.extend(other.by_one_driver);
        self.by_hand.extend(other.by_hand);
    }

    fn of_api_server(&self) -> [Figure; 2] {
        let figure = |which: &str, of: fn(&[f64]) -> f64| {
            let what = format!("the API server's part of that: three writes, 16 at once, {which}");
            Figure::alone(what, Measure { value: of(&self.by_hand), unit: "ms" }, Bar::None)
        };
        [figure("median", median), figure("99 of 100", all_but_a_hundredth)]
    }

    fn figures(&self, how: &str) -> Vec<Figure> {
        let figure = |which: &str, of: fn(&[f64]) -> f64, bar| {
            let what = format!("CreateVolume through objects, {how}, {which}");
            let (ours, theirs) = (of(&self.through_objects), of(&self.by_one_driver));
            Figure::beside(what, ours, theirs, "ms", bar)
        };
        vec![figure("median", median, MEDIAN), figure("99 of 100", all_but_a_hundredth, HUNDREDTH)]
    }
}
