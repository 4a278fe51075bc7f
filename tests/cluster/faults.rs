//! Faults while many work: whatever dies, is away or is cut, in the end there is what the callers were told, and nothing
//! else.
//!
//! `ORLOP_FAULTS_OPERATIONS` says how many operations the random one has, `ORLOP_FAULTS_SEED` which: a seed decides what
//! each worker and the killer do, though not what the machine makes of it.

mod fleet;
mod harbour;
mod worker;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::controller::stage::{path, within};
use crate::dice::Dice;
use crate::requests::{self, MIB};
use crate::rig::{self, Relay, Rig, clock};
use fleet::{Fleet, Plan};
use worker::Worker;

/// How many operations there are when nobody says, in the random one and in each of the others.
const USUAL: usize = 200;
const FEW: usize = 60;

/// Runs that many operations while the trouble lasts, and finds that nothing is lost, left over or stuck.
async fn weather(
    rig: &Rig,
    plan: Plan<'_>,
    (seed, operations, workers): (u64, usize, usize),
    trouble: impl AsyncFnOnce(&Fleet, Dice),
) {
    let mut dice = Dice::new(seed);
    let fleet = Fleet::start(rig, &plan, operations).await;
    let _logs = KeptLogs(rig.room("log"));
    let before = harbour::rooms(&fleet).await;
    let mut workers: Vec<_> =
        (0..workers).map(|number| Worker::new(&fleet, number, Dice::new(dice.roll()))).collect();
    let began = Instant::now();
    {
        let work = join_all(workers.iter_mut().map(Worker::work));
        let lasting = async {
            trouble(&fleet, dice).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = work => {}
            () = lasting => unreachable!(),
        }
    }
    let (took, deaths, tries) = (began.elapsed(), fleet.deaths.get(), fleet.tries.get());
    eprintln!("{operations} operations in {took:.0?}, {deaths} deaths, {tries} calls");

    fleet.calm().await;
    harbour::has_what_was_told(&fleet, &workers).await;
    join_all(workers.iter_mut().map(Worker::verify)).await;
    join_all(workers.iter_mut().map(Worker::clear)).await;
    drop(workers);
    harbour::is_empty(&fleet, &before).await;
    fleet.stop();
}

/// The logs of a test that fails outlive it, where somebody says in which directory: they show what nobody can repeat.
struct KeptLogs(PathBuf);

impl Drop for KeptLogs {
    fn drop(&mut self) {
        let kept = std::env::var("ORLOP_FAULTS_LOGS").ok().filter(|_| std::thread::panicking());
        let Some(kept) = kept else { return };
        for log in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            drop(std::fs::copy(log.path(), Path::new(&kept).join(log.file_name())));
        }
    }
}

fn number(variable: &str) -> Option<usize> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let any = || u64::try_from(now.as_nanos() % (1 << 32)).unwrap();
    let seed = number("ORLOP_FAULTS_SEED").map_or_else(any, |seed| u64::try_from(seed).unwrap());
    eprintln!("ORLOP_FAULTS_SEED={seed}");
    seed
}

/// > However often controllers, nodes and the API server are killed while many work, what callers were told is there
/// > with every byte, nothing else is left, and no call is stuck.
#[test]
fn whoever_dies_nothing_is_lost_left_over_or_stuck() {
    rig::alone(async |rig| {
        let operations = number("ORLOP_FAULTS_OPERATIONS").unwrap_or(USUAL);
        eprintln!("ORLOP_FAULTS_OPERATIONS={operations}");
        let plan = Plan { controllers: 2, nodes: 3, ..Plan::default() };
        let rage = async |fleet: &Fleet, dice| fleet.rage(dice).await;
        weather(&rig, plan, (seed(), operations, 8), rage).await;
    });
}

/// How long the API server is away, in seconds: in `make full` as long as an upgrade takes it away.
fn absence() -> u64 {
    number("ORLOP_FAULTS_ABSENCE").map_or(4, |seconds| u64::try_from(seconds).unwrap())
}

/// > When the API server is away for half a minute under load, calls are made again and succeed, and nothing is lost or left over.
#[test]
fn an_api_server_that_is_away_for_a_while_costs_nothing_but_time() {
    rig::alone(async |rig| {
        let plan = Plan { controllers: 1, nodes: 2, ..Plan::default() };
        let away = async |fleet: &Fleet, _| {
            fleet.rig.cluster.kill_api_server();
            tokio::time::sleep(Duration::from_secs(absence())).await;
            fleet.rig.cluster.start_api_server();
        };
        weather(&rig, plan, (seed(), FEW, 4), away).await;
    });
}

/// > Connections to the API server that are cut again and again lose nothing.
///
/// In `make full` they hang once, too, which takes until nothing was heard for a minute and a half.
#[test]
fn watches_that_are_cut_lose_nothing() {
    rig::alone(async |rig| {
        let relay = Relay::start();
        let plan = Plan { controllers: 2, nodes: 2, relay: Some(&relay), ..Plan::default() };
        let cut = async |_: &Fleet, mut dice: Dice| {
            if number("ORLOP_FAULTS_SILENCE").is_some() {
                relay.hush();
                return;
            }
            loop {
                let pause = 20 + u64::try_from(dice.below(200)).unwrap();
                tokio::time::sleep(Duration::from_millis(pause)).await;
                relay.cut();
            }
        };
        weather(&rig, plan, (seed(), 2 * FEW, 4), cut).await;
    });
}

/// > Others may write to the objects meanwhile: whoever is too late looks again, and nothing of anybody is lost.
#[test]
fn another_writer_costs_nothing_but_time() {
    rig::alone(async |rig| {
        let plan = Plan { controllers: 2, nodes: 2, ..Plan::default() };
        let write = async |fleet: &Fleet, _| {
            for number in 0_u64.. {
                for kind in ["volumes", "snapshots"] {
                    let Ok(found) = fleet.rig.api.get(&path(kind)).await else { continue };
                    for object in found["items"].as_array().unwrap() {
                        let one = format!(
                            "{}/{}",
                            path(kind),
                            object["metadata"]["name"].as_str().unwrap()
                        );
                        let change =
                            json!({ "metadata": { "labels": { "written": number.to_string() } } });
                        // It may be gone by now.
                        drop(fleet.rig.api.patch(&one, &change).await);
                    }
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        weather(&rig, plan, (seed(), 2 * FEW, 4), write).await;
    });
}

/// > The clocks of controllers and nodes may be off by an hour.
#[test]
fn clocks_that_are_off_by_an_hour_change_nothing() {
    rig::alone(async |rig| {
        let variables = [clock("-1h").to_vec(), clock("+1h").to_vec()];
        let plan = Plan { controllers: 1, nodes: 2, variables, ..Plan::default() };
        weather(&rig, plan, (seed(), FEW, 4), async |_: &Fleet, _| {}).await;
    });
}

/// How many names two controllers are asked for at the same time.
const NAMES: usize = 40;

/// > Two controllers that are asked for the same at the same time, again and again, give the same answer.
#[test]
fn two_controllers_are_asked_for_the_same_at_once() {
    rig::alone(async |rig| {
        let plan = Plan { controllers: 2, nodes: 2, ..Plan::default() };
        let fleet = Fleet::start(&rig, &plan, 0).await;
        let before = harbour::rooms(&fleet).await;
        join_all((0..NAMES).map(|number| both(&fleet, number))).await;
        harbour::is_empty(&fleet, &before).await;
        fleet.stop();
    });
}

/// Makes a volume, grows it, cuts it, and removes both, by each of the two controllers at once.
async fn both(fleet: &Fleet, number: usize) {
    let create = v1::CreateVolumeRequest {
        capacity_range: requests::at_least(MIB),
        volume_capabilities: vec![requests::block()],
        ..requests::create(&format!("shared {number}"))
    };
    let made =
        twice(fleet, "create", &create, async |mut one, request| one.create_volume(request).await);
    let id = made.await.volume.unwrap().volume_id;
    let expand = requests::expand(&id, 2 * MIB);
    twice(fleet, "expand", &expand, async |mut one, request| {
        one.controller_expand_volume(request).await
    })
    .await;
    let cut = requests::snapshot(&format!("shared {number}"), &id);
    let cut =
        twice(fleet, "cut", &cut, async |mut one, request| one.create_snapshot(request).await);
    let cut = cut.await.snapshot.unwrap().snapshot_id;
    let delete = requests::delete(&id);
    twice(fleet, "delete", &delete, async |mut one, request| one.delete_volume(request).await)
        .await;
    let delete = requests::delete_snapshot(&cut);
    twice(fleet, "delete", &delete, async |mut one, request| one.delete_snapshot(request).await)
        .await;
}

/// Makes the call to both controllers at once, until each has answered, and returns what both say.
async fn twice<Q: Clone, A: PartialEq + Debug>(
    fleet: &Fleet,
    what: &str,
    request: &Q,
    call: impl AsyncFn(ControllerClient<Channel>, Request<Q>) -> Result<Response<A>, Status>,
) -> A {
    let one = async |number: usize| {
        let answer = fleet.settle(what, async |_| {
            let client = ControllerClient::new(fleet.controller(number));
            call(client, within(6, request.clone())).await
        });
        answer.await.unwrap_or_else(|status| panic!("{what}: {status:?}"))
    };
    let (first, second) = tokio::join!(one(0), one(1));
    assert_eq!(first, second, "{what}");
    first
}
