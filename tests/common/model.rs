//! Random operations against a driver and against a model of what it must answer, step by step.

use std::collections::BTreeMap;

use orlop::csi::v1;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::volume::{GroupId, Name, SnapshotId, VolumeId};
use proptest::prelude::*;
use tonic::{Code, Status};

use crate::driver::{Driver, NODE, text};
use crate::requests::{
    self, MIB, at_least, attach, create, delete, delete_group, delete_snapshot, detach, expand,
    group, node_expand, of_snapshot, of_volume, publish, snapshot, stage, unpublish, unstage,
};

/// An operation on one of four volumes, two snapshots and one group of two; each volume has a content of its own.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    Create(u8, u8),
    Restore(u8, u8),
    Clone(u8, u8),
    Delete(u8),
    Expand(u8, u8),
    Snapshot(u8, u8),
    DeleteSnapshot(u8),
    Group(u8, u8),
    DeleteGroup,
    DeleteMember(u8),
    RestoreMember(u8, u8),
    Attach(u8),
    Detach(u8),
    Stage(u8),
    Publish(u8),
    Unpublish(u8),
    Unstage(u8),
    Grow(u8),
}

/// Returns any sequence of operations.
pub fn operations(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let (volume, cut, size) = (0..4u8, 0..2u8, 0..4u8);
    let one = prop_oneof![
        3 => (volume.clone(), size.clone()).prop_map(|(v, s)| Op::Create(v, s)),
        2 => (volume.clone(), cut.clone()).prop_map(|(v, s)| Op::Restore(v, s)),
        2 => (volume.clone(), volume.clone()).prop_map(|(v, from)| Op::Clone(v, from)),
        3 => volume.clone().prop_map(Op::Delete),
        2 => (volume.clone(), size).prop_map(|(v, s)| Op::Expand(v, s)),
        2 => (cut.clone(), volume.clone()).prop_map(|(s, v)| Op::Snapshot(s, v)),
        1 => cut.clone().prop_map(Op::DeleteSnapshot),
        2 => (volume.clone(), volume.clone()).prop_map(|(a, b)| Op::Group(a, b)),
        1 => Just(Op::DeleteGroup),
        1 => cut.clone().prop_map(Op::DeleteMember),
        1 => (volume.clone(), cut).prop_map(|(v, member)| Op::RestoreMember(v, member)),
        1 => volume.clone().prop_map(Op::Attach),
        1 => volume.clone().prop_map(Op::Detach),
        2 => volume.clone().prop_map(Op::Stage),
        3 => volume.clone().prop_map(Op::Publish),
        3 => volume.clone().prop_map(Op::Unpublish),
        3 => volume.clone().prop_map(Op::Unstage),
        1 => volume.prop_map(Op::Grow),
    ];
    prop::collection::vec(one, 1..most)
}

#[derive(Debug, Clone, PartialEq)]
struct Volume {
    size: i64,
    /// What was asked for at first.
    asked: Option<i64>,
    /// Which of the four contents.
    content: u8,
    source: Option<String>,
    staged: bool,
    published: bool,
}

#[derive(Debug, Clone)]
struct Cut {
    source: String,
    size: i64,
    content: u8,
}

#[derive(Debug, Default)]
struct Model {
    volumes: BTreeMap<String, Volume>,
    /// Members of the group among them.
    snapshots: BTreeMap<String, Cut>,
    /// What the group was cut from, while there is one.
    group: Option<[String; 2]>,
}

fn volume_id(volume: u8) -> String {
    VolumeId::of(&Name::parse(&format!("volume {volume}")).unwrap()).to_string()
}

fn snapshot_id(cut: u8) -> String {
    SnapshotId::of(&Name::parse(&format!("snapshot {cut}")).unwrap()).to_string()
}

fn group_id() -> GroupId {
    GroupId::of(&Name::parse("group").unwrap())
}

fn member_id(number: u8) -> String {
    SnapshotId::of_member(&group_id(), number.into()).to_string()
}

/// Sizes that every file system can have.
fn bytes(size: u8) -> i64 {
    (320 + 64 * i64::from(size)) * MIB
}

fn capability(volume: u8) -> v1::VolumeCapability {
    match volume {
        0 => requests::file_system("xfs", Mode::SingleNodeWriter),
        1 => requests::file_system("ext4", Mode::SingleNodeWriter),
        2 => requests::file_system("btrfs", Mode::SingleNodeWriter),
        _ => requests::block(),
    }
}

fn create_request(volume: u8) -> v1::CreateVolumeRequest {
    let volume_capabilities = vec![capability(volume)];
    v1::CreateVolumeRequest {
        volume_capabilities,
        capacity_range: None,
        ..create(&format!("volume {volume}"))
    }
}

// === impl Model ===

impl Model {
    fn new_volume(&mut self, id: &str, made: Volume) -> Code {
        self.volumes.insert(id.to_owned(), made);
        Code::Ok
    }

    fn create(
        &mut self,
        id: &str,
        content: u8,
        asked: Option<i64>,
        source: Option<String>,
    ) -> Code {
        if let Some(found) = self.volumes.get(id) {
            let fits = asked.is_none_or(|asked| found.size >= asked) || found.asked == asked;
            return if found.source == source && fits { Code::Ok } else { Code::AlreadyExists };
        }
        let origin = match &source {
            None => {
                let size = asked.unwrap_or(1024 * MIB);
                let (staged, published) = (false, false);
                let made = Volume { size, asked, content, source, staged, published };
                return self.new_volume(id, made);
            }
            Some(source) => {
                let volume = self.volumes.get(source).map(|found| (found.size, found.content));
                volume.or(self.snapshots.get(source).map(|found| (found.size, found.content)))
            }
        };
        match origin {
            None => Code::NotFound,
            Some((_, other)) if other != content => Code::InvalidArgument,
            Some((size, _)) => {
                let (staged, published) = (false, false);
                self.new_volume(id, Volume { size, asked, content, source, staged, published })
            }
        }
    }

    /// Does the operation to the model and returns the code that the driver must answer.
    fn apply(&mut self, op: Op) -> Code {
        match op {
            Op::Create(v, size) => self.create(&volume_id(v), v, Some(bytes(size)), None),
            Op::Restore(v, from) => self.create(&volume_id(v), v, None, Some(snapshot_id(from))),
            // The volume's own lock is held already.
            Op::Clone(v, from) if v == from && !self.volumes.contains_key(&volume_id(v)) => {
                Code::Aborted
            }
            Op::Clone(v, from) => self.create(&volume_id(v), v, None, Some(volume_id(from))),
            Op::Delete(v) => {
                let used = |found: &Volume| found.staged || found.published;
                if self.volumes.get(&volume_id(v)).is_some_and(used) {
                    return Code::FailedPrecondition;
                }
                self.volumes.remove(&volume_id(v));
                Code::Ok
            }
            Op::Snapshot(s, v) => self.snapshot(s, &volume_id(v)),
            Op::DeleteSnapshot(s) => {
                self.snapshots.remove(&snapshot_id(s));
                Code::Ok
            }
            Op::Group(a, b) => self.cut_group(a, b),
            Op::DeleteGroup => {
                self.group = None;
                self.snapshots.retain(|id, _| !id.starts_with("g-"));
                Code::Ok
            }
            Op::DeleteMember(_) if self.group.is_some() => Code::InvalidArgument,
            Op::RestoreMember(v, from) => {
                self.create(&volume_id(v), v, None, Some(member_id(from)))
            }
            Op::DeleteMember(_) | Op::Detach(_) => Code::Ok,
            Op::Unpublish(v) => {
                if let Some(found) = self.volumes.get_mut(&volume_id(v)) {
                    found.published = false;
                }
                Code::Ok
            }
            Op::Unstage(v) => match self.volumes.get_mut(&volume_id(v)) {
                Some(found) if found.published => Code::FailedPrecondition,
                Some(found) => {
                    found.staged = false;
                    Code::Ok
                }
                None => Code::Ok,
            },
            Op::Expand(v, _) | Op::Attach(v) | Op::Stage(v) | Op::Publish(v) | Op::Grow(v) => {
                match self.volumes.get_mut(&volume_id(v)) {
                    Some(found) => Self::use_it(found, op),
                    None => Code::NotFound,
                }
            }
        }
    }

    fn use_it(found: &mut Volume, op: Op) -> Code {
        match op {
            Op::Expand(_, size) => found.size = found.size.max(bytes(size)),
            Op::Stage(_) => found.staged = true,
            Op::Publish(_) => (found.staged, found.published) = (true, true),
            Op::Grow(_) if !found.published => return Code::NotFound,
            _ => {}
        }
        Code::Ok
    }

    fn cut_group(&mut self, a: u8, b: u8) -> Code {
        if a == b {
            return Code::InvalidArgument;
        }
        let mut sources = [volume_id(a), volume_id(b)];
        sources.sort();
        if let Some(found) = &self.group {
            return if *found == sources { Code::Ok } else { Code::AlreadyExists };
        }
        let mut members = Vec::new();
        for (number, source) in (0..).zip(&sources) {
            let Some(volume) = self.volumes.get(source) else { return Code::NotFound };
            let (size, content) = (volume.size, volume.content);
            members.push((member_id(number), Cut { source: source.clone(), size, content }));
        }
        self.snapshots.extend(members);
        self.group = Some(sources);
        Code::Ok
    }

    fn snapshot(&mut self, s: u8, source: &str) -> Code {
        if let Some(found) = self.snapshots.get(&snapshot_id(s)) {
            return if found.source == source { Code::Ok } else { Code::AlreadyExists };
        }
        let Some(volume) = self.volumes.get(source) else { return Code::NotFound };
        let cut = Cut { source: source.to_owned(), size: volume.size, content: volume.content };
        self.snapshots.insert(snapshot_id(s), cut);
        Code::Ok
    }
}

fn code<T>(outcome: Result<T, Status>) -> (Code, String) {
    match outcome {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => (status.code(), status.message().to_owned()),
    }
}

async fn ask(driver: &mut Driver, op: Op) -> (Code, String) {
    let path = |kind: &str, v: u8| text(&driver.path(&format!("{kind} {v}")));
    let (staging, target) = match op {
        Op::Stage(v) | Op::Publish(v) | Op::Unpublish(v) | Op::Unstage(v) | Op::Grow(v) => {
            (driver.staging(&format!("staging {v}")), path("target", v))
        }
        _ => Default::default(),
    };
    let (c, n) = (&mut driver.controller, &mut driver.node);
    match op {
        Op::Create(v, size) => {
            let capacity_range = at_least(bytes(size));
            let request = v1::CreateVolumeRequest { capacity_range, ..create_request(v) };
            code(c.create_volume(request).await)
        }
        Op::Restore(v, from) => {
            let volume_content_source = of_snapshot(&snapshot_id(from));
            let request = v1::CreateVolumeRequest { volume_content_source, ..create_request(v) };
            code(c.create_volume(request).await)
        }
        Op::Clone(v, from) => {
            let volume_content_source = of_volume(&volume_id(from));
            let request = v1::CreateVolumeRequest { volume_content_source, ..create_request(v) };
            code(c.create_volume(request).await)
        }
        Op::Delete(v) => code(c.delete_volume(delete(&volume_id(v))).await),
        Op::Expand(v, size) => {
            code(c.controller_expand_volume(expand(&volume_id(v), bytes(size))).await)
        }
        Op::Snapshot(s, v) => {
            let request = snapshot(&format!("snapshot {s}"), &volume_id(v));
            code(c.create_snapshot(request).await)
        }
        Op::DeleteSnapshot(s) => code(c.delete_snapshot(delete_snapshot(&snapshot_id(s))).await),
        Op::Group(a, b) => {
            let request = group("group", &[&volume_id(a), &volume_id(b)]);
            code(driver.groups.create_volume_group_snapshot(request).await)
        }
        Op::DeleteGroup => {
            let request = delete_group(group_id().as_str(), &[member_id(0), member_id(1)]);
            code(driver.groups.delete_volume_group_snapshot(request).await)
        }
        Op::DeleteMember(member) => {
            code(c.delete_snapshot(delete_snapshot(&member_id(member))).await)
        }
        Op::RestoreMember(v, from) => {
            let volume_content_source = of_snapshot(&member_id(from));
            let request = v1::CreateVolumeRequest { volume_content_source, ..create_request(v) };
            code(c.create_volume(request).await)
        }
        Op::Attach(v) => {
            let volume_capability = Some(capability(v));
            let request = attach(&volume_id(v), NODE);
            let request = v1::ControllerPublishVolumeRequest { volume_capability, ..request };
            code(c.controller_publish_volume(request).await)
        }
        Op::Detach(v) => code(c.controller_unpublish_volume(detach(&volume_id(v), NODE)).await),
        Op::Stage(v) => {
            let volume_capability = Some(capability(v));
            let request = stage(&volume_id(v), &staging);
            code(
                n.node_stage_volume(v1::NodeStageVolumeRequest { volume_capability, ..request })
                    .await,
            )
        }
        Op::Publish(v) => {
            let volume_capability = Some(capability(v));
            let request = publish(&volume_id(v), &staging, &target);
            let request = v1::NodePublishVolumeRequest { volume_capability, ..request };
            code(n.node_publish_volume(request).await)
        }
        Op::Unpublish(v) => code(n.node_unpublish_volume(unpublish(&volume_id(v), &target)).await),
        Op::Unstage(v) => code(n.node_unstage_volume(unstage(&volume_id(v), &staging)).await),
        Op::Grow(v) => code(n.node_expand_volume(node_expand(&volume_id(v), &target)).await),
    }
}

/// Compares what the driver lists with what the model has.
async fn compare(driver: &mut Driver, model: &Model, after: Op) {
    let all = driver.controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
    let entries = all.into_inner().entries.into_iter().map(|entry| entry.volume.unwrap());
    let listed: Vec<_> = entries.map(|volume| (volume.volume_id, volume.capacity_bytes)).collect();
    let expected: Vec<_> = model.volumes.iter().map(|(id, one)| (id.clone(), one.size)).collect();
    assert_eq!(listed, expected, "volumes after {after:?}");
    let all = driver.controller.list_snapshots(v1::ListSnapshotsRequest::default()).await.unwrap();
    let entries = all.into_inner().entries.into_iter().map(|entry| entry.snapshot.unwrap());
    let listed: Vec<_> = entries.map(|one| (one.snapshot_id, one.size_bytes)).collect();
    let expected: Vec<_> = model.snapshots.iter().map(|(id, one)| (id.clone(), one.size)).collect();
    assert_eq!(listed, expected, "snapshots after {after:?}");
}

/// Does every operation twice, comparing the answers, then undoes everything; the driver must be empty then.
///
/// `may_refuse` says which refusals this node has reasons of its own for, which the model does not know.
pub async fn follow(driver: &mut Driver, operations: &[Op], may_refuse: impl Fn(Op, &str) -> bool) {
    let mut model = Model::default();
    for op in operations.iter().copied() {
        for _twice in 0..2 {
            let expected = model.apply(op);
            let (answered, message) = ask(driver, op).await;
            if answered != expected && may_refuse(op, &message) {
                continue;
            }
            assert_eq!(answered, expected, "{op:?}: {message}\n{model:#?}");
        }
        compare(driver, &model, op).await;
    }
    for undo in (0..4).flat_map(|v| [Op::Unpublish(v), Op::Unstage(v), Op::Delete(v)]) {
        let (answered, message) = ask(driver, undo).await;
        assert_eq!(answered, Code::Ok, "{undo:?}: {message}");
    }
    for undo in [Op::DeleteSnapshot(0), Op::DeleteSnapshot(1), Op::DeleteGroup] {
        assert_eq!(ask(driver, undo).await.0, Code::Ok);
    }
    compare(driver, &Model::default(), Op::Delete(0)).await;
    assert!(driver.locks.held().is_empty());
}
