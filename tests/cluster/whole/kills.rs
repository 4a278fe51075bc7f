//! Controllers and nodes that are killed: calls are made again, and in the end there is what was asked for and nothing else.

use std::time::Duration;

use futures_util::future::join_all;
use orlop::csi::v1::controller_client::ControllerClient;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use super::life::cluster;
use crate::controller::stage::{GIB, Stage, within};
use crate::driver::connect_lazily;
use crate::requests;
use crate::rig::{self, Rig};

/// How many make and remove volumes at the same time, and how many each.
const WORKERS: usize = 4;
const EACH: usize = 100;

/// > A controller that is killed loses and leaks nothing: the next one finishes what was begun.
#[test]
fn what_a_killed_controller_has_begun_the_next_one_finishes() {
    rig::alone(async |rig| {
        let (mut stage, _nodes) = cluster(&rig).await;
        let socket = stage.socket.clone();
        let work = (0..WORKERS).map(|worker| work(&rig, connect_lazily(socket.clone()), worker));
        let mut work = std::pin::pin!(join_all(work));
        let mut kills = 0;
        let mut kept = loop {
            tokio::select! {
                kept = &mut work => break kept,
                () = tokio::time::sleep(Duration::from_millis(150)) => {}
            }
            stage.kill().await;
            kills += 1;
        };
        assert!(kills > 5, "it was over after {kills} kills");
        let stage = Stage::another(&rig, "default", "last").await;
        let items = async |kind: &str| {
            let found = rig.api.get(&format!("/apis/orlop.dev/v1alpha1/{kind}")).await.unwrap();
            let names = found["items"].as_array().unwrap().clone().into_iter();
            names
                .map(|one| one["metadata"]["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        kept.sort();
        assert_eq!(items("volumes").await, kept);
        for id in &kept {
            stage.controller.clone().delete_volume(requests::delete(id)).await.unwrap();
        }
        assert!(items("volumes").await.is_empty());
        for node in ["n1", "n2"] {
            stage.until_room(node, 10 * GIB).await;
        }
    });
}

/// Makes volumes and removes them again, all but the last, which is returned.
async fn work(rig: &Rig, channel: Channel, worker: usize) -> String {
    let controller = ControllerClient::new(channel);
    let mut last = None;
    for n in 0..EACH {
        let create = requests::create(&format!("{n} of {worker}"));
        let made = insist(rig, async || {
            let request = within(5, create.clone());
            controller.clone().create_volume(request).await.map(Response::into_inner)
        });
        let id = made.await.volume.unwrap().volume_id;
        if let Some(before) = last.replace(id) {
            let gone = insist(rig, async || {
                let request = within(5, requests::delete(&before));
                controller.clone().delete_volume(request).await
            });
            gone.await;
        }
    }
    last.unwrap()
}

/// Makes the call until it succeeds. What is not "come again" is not to be answered here.
async fn insist<T>(rig: &Rig, mut call: impl AsyncFnMut() -> Result<T, Status>) -> T {
    let ask = async || match call().await {
        Ok(answer) => Some(answer),
        Err(status) => {
            let again = [Code::Aborted, Code::Unavailable, Code::Cancelled, Code::Unknown];
            assert!(again.contains(&status.code()), "{status:?}");
            None
        }
    };
    rig.until("the call succeeds", ask).await
}
