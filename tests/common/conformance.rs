//! The contract of `Backend`, as plain functions that every backend must pass.
//!
//! Each speaks to the trait alone and leaves the pool as empty as it found it.

use std::num::NonZeroU64;

use orlop::backend::{Backend, Contents, Ensured, Local};
use orlop::error::Error;
use orlop::volume::{
    AccessMode, Asked, Attachment, BlockSize, Bytes, Content, FsType, Group, Limits, Name,
    NewGroup, NewSnapshot, NewVolume, Snapshot, SnapshotId, Source, VolumeId,
};

/// The size of the volumes in here: enough for every file system.
const SIZE: Bytes = Bytes::mib(512);

/// Returns the wish for a volume.
pub fn wish(name: &str, content: Content, size: Bytes, source: Option<Source>) -> NewVolume {
    let name = Name::parse(name).unwrap();
    let asked = Asked { required: Some(size), limit: None };
    let id = VolumeId::of(&name);
    NewVolume {
        id,
        name,
        size,
        asked,
        content,
        block_size: BlockSize::default(),
        limits: Limits::NONE,
        source,
    }
}

fn xfs(name: &str) -> NewVolume {
    wish(name, Content::FileSystem(FsType::Xfs), SIZE, None)
}

fn cut(name: &str, source: &VolumeId) -> NewSnapshot {
    let name = Name::parse(name).unwrap();
    NewSnapshot { id: SnapshotId::of(&name), name, source: source.clone() }
}

async fn is_empty(backend: &dyn Backend) {
    assert_eq!(backend.list(None, usize::MAX).await.unwrap(), []);
    if let Some(snapshots) = backend.snapshots() {
        assert_eq!(snapshots.list(None, usize::MAX).await.unwrap(), []);
    }
}

/// A volume is created once, found as created, and deleted once; each repeat changes nothing.
pub async fn create_find_delete_twice(backend: &dyn Backend) {
    for content in [Content::Block].into_iter().chain(FsType::ALL.map(Content::FileSystem)) {
        let wanted = wish(&format!("of {content}"), content, SIZE, None);
        let made = backend.create(&wanted).await.unwrap();
        assert!(made.is_made(), "{content}");
        let volume = made.into_inner();
        assert!(volume.is(&wanted));
        assert_eq!(volume.size, SIZE);
        assert_eq!(backend.create(&wanted).await.unwrap(), Ensured::Found(volume.clone()));
        assert_eq!(backend.find(&wanted.id).await.unwrap(), Some(volume));
        assert!(backend.delete(&wanted.id).await.unwrap().is_made());
        assert!(!backend.delete(&wanted.id).await.unwrap().is_made());
        assert_eq!(backend.find(&wanted.id).await.unwrap(), None);
    }
    is_empty(backend).await;
}

/// A volume that exists otherwise is neither returned nor changed.
pub async fn an_id_that_exists_otherwise_differs(backend: &dyn Backend) {
    let wanted = xfs("differs");
    let volume = backend.create(&wanted).await.unwrap().into_inner();
    let larger = NewVolume {
        size: Bytes::mib(1024),
        asked: Asked { required: Some(Bytes::mib(1024)), limit: None },
        ..wanted.clone()
    };
    let other_fs = NewVolume { content: Content::FileSystem(FsType::Ext4), ..wanted.clone() };
    let block = NewVolume { content: Content::Block, ..wanted.clone() };
    for other in [larger, other_fs, block] {
        assert!(matches!(backend.create(&other).await, Err(Error::Differs { .. })), "{other:?}");
    }
    assert_eq!(backend.find(&wanted.id).await.unwrap(), Some(volume));
    backend.delete(&wanted.id).await.unwrap();
    is_empty(backend).await;
}

/// Volumes grow, never shrink, and an expanded one still answers its first request.
///
/// > A volume grows and never shrinks; asked for less than it has, it stays as it is.
pub async fn expand_is_idempotent(backend: &dyn Backend) {
    let wanted = xfs("grows");
    backend.create(&wanted).await.unwrap();
    for (asked, expected) in [(600, 600), (600, 600), (520, 600)] {
        let volume = backend.expand(&wanted.id, Bytes::mib(asked)).await.unwrap();
        assert_eq!(volume.size, Bytes::mib(expected));
    }
    assert!(!backend.create(&wanted).await.unwrap().is_made());
    backend.delete(&wanted.id).await.unwrap();
    let gone = backend.expand(&wanted.id, Bytes::mib(600)).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    is_empty(backend).await;
}

/// Attachments are kept with the volume.
pub async fn attachments_are_kept(backend: &dyn Backend) {
    let wanted = xfs("attached");
    backend.create(&wanted).await.unwrap();
    let attachment =
        Attachment { node: "n1".into(), read_only: true, mode: AccessMode::SingleNodeWriter };
    backend.set_attachments(&wanted.id, std::slice::from_ref(&attachment)).await.unwrap();
    let volume = backend.find(&wanted.id).await.unwrap().unwrap();
    assert_eq!(volume.attachments, [attachment]);
    backend.set_attachments(&wanted.id, &[]).await.unwrap();
    assert_eq!(backend.find(&wanted.id).await.unwrap().unwrap().attachments, []);
    let limits = Limits { read_iops: NonZeroU64::new(500), ..Limits::NONE };
    for _ in 0..2 {
        backend.set_limits(&wanted.id, limits).await.unwrap();
        let volume = backend.find(&wanted.id).await.unwrap().unwrap();
        assert_eq!((volume.limits, volume.asked_limits), (limits, Limits::NONE));
    }
    assert!(!backend.create(&wanted).await.unwrap().is_made(), "limited since, but the same");
    let otherwise = NewVolume { limits, ..wanted.clone() };
    assert!(matches!(backend.create(&otherwise).await, Err(Error::Differs { .. })));
    backend.delete(&wanted.id).await.unwrap();
    is_empty(backend).await;
}

/// Lists are sorted by id, begin behind the id given and are as long as asked.
pub async fn lists_are_sorted_and_cut(backend: &dyn Backend) {
    let mut ids = Vec::new();
    for number in 0..5 {
        let wanted = wish(&format!("listed {number}"), Content::Block, Bytes::mib(1), None);
        ids.push(backend.create(&wanted).await.unwrap().into_inner().id);
    }
    ids.sort();
    let listed = async |after: Option<&VolumeId>, most| -> Vec<VolumeId> {
        let all = backend.list(after, most).await.unwrap();
        all.into_iter().map(|volume| volume.id).collect()
    };
    assert_eq!(listed(None, usize::MAX).await, ids);
    assert_eq!(listed(None, 2).await, ids[..2]);
    assert_eq!(listed(Some(&ids[1]), 2).await, ids[2..4]);
    assert_eq!(listed(Some(&ids[4]), 2).await, []);
    for id in &ids {
        backend.delete(id).await.unwrap();
    }
    is_empty(backend).await;
}

/// A snapshot is cut once; source, snapshot and copy may be deleted in any order.
///
/// > Source, snapshot and copy may be deleted in any order.
pub async fn sources_and_copies_go_in_any_order(backend: &dyn Backend) {
    let snapshots = backend.snapshots().unwrap();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let source = xfs("source");
        backend.create(&source).await.unwrap();
        let cut = cut("cut", &source.id);
        let snapshot = snapshots.cut(&cut).await.unwrap();
        assert!(snapshot.is_made());
        let snapshot = snapshot.into_inner();
        assert_eq!((&snapshot.source, snapshot.size), (&source.id, SIZE));
        assert_eq!(snapshots.cut(&cut).await.unwrap(), Ensured::Found(snapshot.clone()));
        let from = Some(Source::Snapshot(cut.id.clone()));
        let copy = wish("copy", source.content, Bytes::mib(600), from);
        assert_eq!(backend.create(&copy).await.unwrap().into_inner().size, Bytes::mib(600));
        for step in order {
            match step {
                0 => assert!(backend.delete(&source.id).await.unwrap().is_made()),
                1 => assert!(snapshots.delete(&cut.id).await.unwrap().is_made()),
                _ => assert!(backend.delete(&copy.id).await.unwrap().is_made()),
            }
        }
        assert!(!snapshots.delete(&cut.id).await.unwrap().is_made());
        is_empty(backend).await;
    }
}

/// A snapshot id that was cut from another volume differs; a source that is missing is not found.
///
/// > A name that was used for another source is ALREADY_EXISTS; a source that does not exist is NOT_FOUND.
pub async fn snapshots_are_of_their_source(backend: &dyn Backend) {
    let snapshots = backend.snapshots().unwrap();
    let (one, two) = (xfs("one"), xfs("two"));
    for wanted in [&one, &two] {
        backend.create(wanted).await.unwrap();
    }
    snapshots.cut(&cut("cut", &one.id)).await.unwrap();
    let other = snapshots.cut(&cut("cut", &two.id)).await;
    assert!(matches!(other, Err(Error::Differs { .. })));
    for wanted in [&one, &two] {
        backend.delete(&wanted.id).await.unwrap();
    }
    let orphan = snapshots.cut(&cut("orphan", &one.id)).await;
    assert!(matches!(orphan, Err(Error::NotFound { .. })));
    let from = Some(Source::Snapshot(cut("orphan", &one.id).id));
    let copy = backend.create(&wish("copy", one.content, SIZE, from)).await;
    assert!(matches!(copy, Err(Error::NotFound { .. })));
    snapshots.delete(&cut("cut", &one.id).id).await.unwrap();
    is_empty(backend).await;
}

fn group_of(name: &str, sources: &[&NewVolume]) -> NewGroup {
    let sources: Vec<_> = sources.iter().map(|source| source.id.to_string()).collect();
    NewGroup::parse(name, &sources).unwrap()
}

async fn members_of(backend: &dyn Backend, group: &Group) -> Vec<Snapshot> {
    let mut members = Vec::new();
    for id in group.members() {
        members.push(backend.snapshots().unwrap().find(&id).await.unwrap().unwrap());
    }
    members
}

/// A group is cut once, its members are snapshots to restore, and all of it goes at once.
pub async fn groups_come_and_go_as_one(backend: &dyn Backend) {
    let groups = backend.groups().unwrap();
    let (one, two) = (xfs("one"), wish("two", Content::Block, Bytes::mib(16), None));
    for wanted in [&one, &two] {
        backend.create(wanted).await.unwrap();
    }
    let wanted = group_of("nightly", &[&one, &two]);
    assert_eq!(groups.find(&wanted.id).await.unwrap(), None);
    let made = groups.cut(&wanted).await.unwrap();
    assert!(made.is_made());
    let group = made.into_inner();
    group.clone().as_wanted(&wanted).unwrap();
    assert_eq!(groups.cut(&wanted).await.unwrap(), Ensured::Found(group.clone()));
    assert_eq!(groups.find(&wanted.id).await.unwrap(), Some(group.clone()));

    let members = members_of(backend, &group).await;
    assert_eq!(
        members.iter().map(|one| &one.source).collect::<Vec<_>>(),
        wanted.sources().iter().collect::<Vec<_>>()
    );
    assert!(
        members
            .iter()
            .all(|one| one.created == group.created && one.id.group() == Some(group.id.clone()))
    );
    assert_eq!(backend.snapshots().unwrap().list(None, 9).await.unwrap(), members);
    // Neither a source nor the whole group is needed by what was restored.
    let member = members.iter().find(|member| member.source == one.id).unwrap();
    assert_eq!((member.size, member.content), (one.size, one.content));
    let from = Some(Source::Snapshot(member.id.clone()));
    let restored = wish("restored", one.content, member.size, from);
    for wanted in [&one, &two] {
        backend.delete(&wanted.id).await.unwrap();
    }
    backend.create(&restored).await.unwrap();
    assert_eq!(groups.cut(&wanted).await.unwrap(), Ensured::Found(group));
    assert!(groups.delete(&wanted.id).await.unwrap().is_made());
    assert!(!groups.delete(&wanted.id).await.unwrap().is_made());
    assert_eq!(groups.find(&wanted.id).await.unwrap(), None);
    backend.delete(&restored.id).await.unwrap();
    is_empty(backend).await;
}

/// What is in the pool is told by its ids, each once; a member of a group is told with its group.
pub async fn contents_are_all_there_is(pool: &dyn Local) {
    assert_eq!(pool.contents().await.unwrap(), Contents::default());
    let (one, snapshot) = (xfs("one"), cut("cut", &xfs("one").id));
    let group = group_of("nightly", &[&one]);
    pool.create(&one).await.unwrap();
    pool.snapshots().unwrap().cut(&snapshot).await.unwrap();
    pool.groups().unwrap().cut(&group).await.unwrap();
    let expected = Contents {
        volumes: [one.id.clone()].into(),
        snapshots: [snapshot.id.clone()].into(),
        groups: [group.id.clone()].into(),
    };
    assert_eq!(pool.contents().await.unwrap(), expected);
    assert_eq!(pool.uuid().unwrap(), pool.uuid().unwrap());
    pool.groups().unwrap().delete(&group.id).await.unwrap();
    pool.snapshots().unwrap().delete(&snapshot.id).await.unwrap();
    pool.delete(&one.id).await.unwrap();
    assert_eq!(pool.contents().await.unwrap(), Contents::default());
}

/// A group that exists otherwise, or cannot be cut as a whole, changes nothing.
pub async fn a_group_is_whole_or_not_there(backend: &dyn Backend) {
    let groups = backend.groups().unwrap();
    let block = |name| wish(name, Content::Block, Bytes::mib(16), None);
    let (one, two, missing) = (block("one"), block("two"), block("missing"));
    for wanted in [&one, &two] {
        backend.create(wanted).await.unwrap();
    }
    let wanted = group_of("nightly", &[&one, &two]);
    groups.cut(&wanted).await.unwrap();
    let before = backend.snapshots().unwrap().list(None, 9).await.unwrap();
    let fewer = groups.cut(&group_of("nightly", &[&two])).await;
    assert!(matches!(fewer, Err(Error::Differs { .. })), "{fewer:?}");
    let orphan = group_of("orphan", &[&one, &missing, &two]);
    let refused = groups.cut(&orphan).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
    assert_eq!(groups.find(&orphan.id).await.unwrap(), None);
    assert_eq!(backend.snapshots().unwrap().list(None, 9).await.unwrap(), before);

    // Room for one more of them, but not for both, where one volume can take all the rest.
    let capacity = backend.capacity(Content::Block).await.unwrap();
    if capacity.largest == capacity.available {
        let rest = capacity.available.less(Bytes::mib(24)).round_down(4096);
        let large = wish("large", Content::Block, rest, None);
        backend.create(&large).await.unwrap();
        let refused = groups.cut(&group_of("tight", &[&one, &two])).await;
        assert!(matches!(refused, Err(Error::Exhausted { .. })), "{refused:?}");
        assert_eq!(backend.snapshots().unwrap().list(None, 9).await.unwrap(), before);
        backend.delete(&large.id).await.unwrap();
    }
    groups.delete(&wanted.id).await.unwrap();
    for wanted in [&one, &two] {
        backend.delete(&wanted.id).await.unwrap();
    }
    is_empty(backend).await;
}

/// A volume without room is refused, and what was promised is given back by its deletion.
///
/// > What a deleted volume had can be promised again.
pub async fn capacity_is_honest(backend: &dyn Backend) {
    let before = backend.capacity(Content::Block).await.unwrap();
    assert!(before.largest <= before.available && before.largest > SIZE, "{before:?}");
    let too_large = wish("too large", Content::Block, before.largest.plus(Bytes::gib(1)), None);
    assert!(matches!(backend.create(&too_large).await, Err(Error::Exhausted { .. })));
    let wanted = wish("half", Content::Block, Bytes::mib(256), None);
    backend.create(&wanted).await.unwrap();
    let between = backend.capacity(Content::Block).await.unwrap();
    assert!(between.available <= before.available.less(Bytes::mib(256)), "{between:?}");
    backend.delete(&wanted.id).await.unwrap();
    is_empty(backend).await;
}

/// Every function of the suite.
pub async fn all(backend: &dyn Local) {
    create_find_delete_twice(backend).await;
    an_id_that_exists_otherwise_differs(backend).await;
    expand_is_idempotent(backend).await;
    attachments_are_kept(backend).await;
    lists_are_sorted_and_cut(backend).await;
    sources_and_copies_go_in_any_order(backend).await;
    snapshots_are_of_their_source(backend).await;
    groups_come_and_go_as_one(backend).await;
    contents_are_all_there_is(backend).await;
    a_group_is_whole_or_not_there(backend).await;
    capacity_is_honest(backend).await;
}
