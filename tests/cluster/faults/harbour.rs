//! The end: what there is, is what the callers were told; and when all is removed, nothing is left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::sys::mountinfo::MountTable;

use super::fleet::{Fleet, images_below};
use super::worker::Worker;
use crate::controller::stage::{on, path};
use crate::node::site::Site;
use crate::requests;

/// Where a pool keeps things, each in a directory or file of its own.
const PLACES: [&str; 6] = ["volumes", "snapshots", "groups", "new", "trash", "scratch"];

/// Returns what each node can still give: what is leaked is missing there.
pub(super) async fn rooms(fleet: &Fleet) -> Vec<i64> {
    let mut rooms = Vec::new();
    for site in fleet.sites() {
        let request = v1::GetCapacityRequest {
            parameters: requests::pairs(&[("pool", "fast")]),
            accessible_topology: Some(on(&site.node)),
            ..v1::GetCapacityRequest::default()
        };
        let answer = fleet.settle("capacity", async |attempt| {
            ControllerClient::new(fleet.controller(attempt)).get_capacity(request.clone()).await
        });
        rooms.push(answer.await.unwrap().available_capacity);
    }
    rooms
}

/// Finds the objects and the data of what the workers were told is there, and no others.
pub(super) async fn has_what_was_told(fleet: &Fleet, workers: &[Worker<'_>]) {
    let mut told = [BTreeSet::new(), BTreeSet::new()];
    for worker in workers {
        for (all, its) in told.iter_mut().zip(worker.ids()) {
            all.extend(its);
        }
    }
    for (kind, told) in ["volumes", "snapshots"].into_iter().zip(told) {
        // What a node has begun to remove may take it a moment.
        let same = async || {
            let data: BTreeSet<_> = fleet.sites().flat_map(|site| below(site, kind)).collect();
            (objects(fleet, kind).await == told && data == told).then_some(())
        };
        let what = format!("the {kind} that were told are there, and no others: {told:?}");
        fleet.rig.until(&what, same).await;
    }
}

/// Waits until nothing is left: no object, no data, no device, no mount, no room taken.
pub(super) async fn is_empty(fleet: &Fleet, before: &[i64]) {
    for kind in ["volumes", "snapshots", "groupsnapshots"] {
        let none = async || objects(fleet, kind).await.is_empty().then_some(());
        fleet.rig.until(&format!("no {kind} are left"), none).await;
    }
    for site in fleet.sites() {
        let none = async || left_on(site).is_empty().then_some(());
        fleet
            .rig
            .until(&format!("nothing is left on {}: {:?}", site.node, left_on(site)), none)
            .await;
        site.until_pool("has no orphan", |status| status["orphanCount"] == 0).await;
    }
    let same = async || (rooms(fleet).await == before).then_some(());
    fleet.rig.until(&format!("the pools have {before:?} to give again"), same).await;
}

async fn objects(fleet: &Fleet, kind: &str) -> BTreeSet<String> {
    let found = fleet.rig.api.get(&path(kind)).await.unwrap();
    let items = found["items"].as_array().unwrap().iter();
    items.map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Returns the names of what is in this place of the node's pool.
fn below(site: &Site, place: &str) -> Vec<String> {
    let place = site.in_pool(place);
    let names = |place: &Path| {
        let all = std::fs::read_dir(place).into_iter().flatten().flatten();
        all.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    site.mounts.run(|| names(&place))
}

/// Returns the files, devices and mounts of volumes that are left on the node.
fn left_on(site: &Site) -> Vec<PathBuf> {
    let (pool, pods) = (site.in_pool(""), site.rig.room(&site.node).join("pods"));
    let files = PLACES.into_iter().flat_map(|place| {
        let names = below(site, place).into_iter();
        names.map(move |name| Path::new(place).join(name))
    });
    let mut left: Vec<_> = files.collect();
    site.mounts.run(|| {
        let table = MountTable::read().unwrap();
        let ours = |at: &Path| at.starts_with(&pods) || (at.starts_with(&pool) && at != pool);
        left.extend(table.iter().map(|mount| mount.at.clone()).filter(|at| ours(at)));
        left.extend(images_below(&pool));
    });
    left
}
