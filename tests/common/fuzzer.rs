//! Asks a driver anything at all: it never panics, never fails inside, and does its work afterwards as before.

use std::path::Path;
use std::time::Duration;

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tonic::Code;
use tonic::transport::Channel;

use crate::random::Choices;
use crate::raw::{frame, post};
use crate::requests::{create, create_block, delete, snapshot};

/// How many requests there are when nobody says: enough to meet every RPC.
const USUAL: usize = 6_000;

/// Requests to one driver, before the next one is started.
const MOST: usize = 200;

/// Longer than any request may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Codes that say that the driver failed, not the request.
const INSIDE: [Code; 6] = [
    Code::Internal,
    Code::Unknown,
    Code::DataLoss,
    Code::Cancelled,
    Code::Unavailable,
    Code::DeadlineExceeded,
];

/// The choices behind a list of requests.
pub type Requests = Vec<Vec<u8>>;

/// Returns the number that the variable of the environment has.
pub fn number(variable: &str) -> Option<usize> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, which is no number")))
}

/// Lets the driver answer so many lists of requests that all together are as many as asked for by
/// `ORLOP_FUZZ_REQUESTS`, divided by `share`. A list that fails is made as small as possible, and kept.
pub fn ask_lists(source: &'static str, share: usize, answer: impl Fn(&Requests)) {
    let wanted = number("ORLOP_FUZZ_REQUESTS").unwrap_or(USUAL) / share;
    let asked = std::cell::Cell::new(0);
    let config = Config { cases: 1, ..Config::with_source_file(source) };
    let mut runner = TestRunner::new(config);
    let bytes = prop::collection::vec(any::<u8>(), 0..160);
    let lists = prop::collection::vec(bytes, 1..MOST);
    while asked.get() < wanted {
        let ended = runner.run(&lists, |requests| {
            asked.set(asked.get() + requests.len());
            answer(&requests);
            Ok(())
        });
        ended.unwrap_or_else(|failure| panic!("{failure}"));
    }
    eprintln!("{} requests", asked.get());
}

/// Makes what the requests speak of: a volume with a file system, a raw one, and a snapshot.
pub async fn furnish(channel: &Channel) {
    let mut controller = ControllerClient::new(channel.clone());
    let made = controller.create_volume(create("a")).await.unwrap().into_inner();
    controller.create_volume(create_block("raw")).await.unwrap();
    let id = made.volume.unwrap().volume_id;
    controller.create_snapshot(snapshot("cut", &id)).await.unwrap();
}

/// Asks the driver all of it.
pub async fn ask(channel: &mut Channel, room: &Path, requests: &Requests) {
    for bytes in requests {
        let any = Choices::new(bytes, room).any();
        let answer = post(channel, any.path, frame(&any.bytes));
        let status = tokio::time::timeout(PATIENCE, answer).await;
        let status = status.unwrap_or_else(|_| panic!("no answer to {}", any.shown));
        assert!(!INSIDE.contains(&status.code()), "{}\n{:?}\n{status:?}", any.shown, any.bytes);
        let is_told = status.code() == Code::Ok || !status.message().is_empty();
        // What a service does not have is answered by generated code, which says nothing.
        assert!(is_told || status.code() == Code::Unimplemented, "{} {status:?}", any.shown);
        assert!(status.details().is_empty(), "{}", any.shown);
    }
}

/// The driver still does what it is there for.
pub async fn is_alive(channel: &Channel) {
    let mut controller = ControllerClient::new(channel.clone());
    let made = controller.create_volume(create("alive")).await.unwrap().into_inner();
    let id = made.volume.unwrap().volume_id;
    let all = controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
    let mut ids = all.into_inner().entries.into_iter().map(|entry| entry.volume.unwrap().volume_id);
    assert!(ids.any(|other| other == id));
    controller.delete_volume(delete(&id)).await.unwrap();
}
