//! Snapshots, groups of them, restores and clones: of what is the worker's own, and of what is others'.

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::group_controller_client::GroupControllerClient;
use tonic::Code;

use super::{Slot, Worker, code, expect};
use crate::content::Stamp;
use crate::random::{group_id, snapshot_id, volume_id};
use crate::requests::{
    MIB, at_least, delete_group, delete_snapshot, group, of_snapshot, of_volume, snapshot,
};
use crate::storm::world::{Cut, Kind, Volume};

/// A visit to a volume of anybody's: its owner does not delete it meanwhile, but does everything else.
pub(super) struct Visit {
    name: String,
    before: Volume,
}

/// What was learned on a visit.
struct Left {
    /// What may have been in the volume.
    allowed: Vec<Stamp>,
    /// How large it was at most.
    most: i64,
    /// Whether it cannot be copied.
    stopped: bool,
}

impl Worker {
    fn visit(&mut self, is_meant: impl Fn(&str, &Volume) -> bool) -> Option<Visit> {
        let mut world = self.sea.world.borrow_mut();
        let pool = self.pool();
        let fits = |(name, one): &(&String, &Volume)| {
            one.pool == pool && !one.going && is_meant(name, one)
        };
        let names: Vec<_> =
            world.volumes.iter().filter(fits).map(|(name, _)| name.clone()).collect();
        let name = self.dice.of(&names)?;
        let volume = world.volumes.get_mut(&name)?;
        volume.guests += 1;
        Some(Visit { before: volume.clone(), name })
    }

    /// Says whether the visited volume is stopped, see [`super::stopped`].
    pub(super) fn cannot_be_copied(&self, visit: &Visit) -> bool {
        self.is_stopped(&visit.name, visit.before.kind)
    }

    /// Ends the visit.
    fn leave(&self, visit: &Visit) -> Left {
        let stopped = self.cannot_be_copied(visit);
        let mut world = self.sea.world.borrow_mut();
        let volume = world.volumes.get_mut(&visit.name).unwrap();
        volume.guests -= 1;
        let allowed = volume.since(visit.before.moment()).to_vec();
        Left { allowed, most: volume.most, stopped }
    }

    /// Cuts a snapshot of the worker's volume, or of another's.
    pub(super) async fn cut(&mut self, slot: &Slot) {
        let name = self.dice.of(&self.cuts()).unwrap();
        let own = self.dice.one_in(2);
        let Some(visit) = self.visit(|other, _| !own || other == slot.name) else { return };
        let what = format!("cut {name} of {}", visit.name);
        let source = volume_id(&visit.name);
        let request = snapshot(&name, &source);
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).create_snapshot(request.clone()).await
            })
            .await;
        let Left { allowed, most, stopped } = self.leave(&visit);
        if stopped && code(&answer) == Code::FailedPrecondition {
            return;
        }
        if let Some(found) = self.sea.world.borrow().cuts.get(&name) {
            let same = found.source == source;
            return expect(&what, &answer, if same { Code::Ok } else { Code::AlreadyExists });
        }
        expect(&what, &answer, Code::Ok);
        let size = answer.unwrap().snapshot.unwrap().size_bytes;
        assert!((visit.before.size..=most).contains(&size), "{what}: {size}");
        self.keep(name, &visit, size, allowed);
    }

    fn keep(&self, name: String, visit: &Visit, size: i64, allowed: Vec<Stamp>) {
        let mut world = self.sea.world.borrow_mut();
        let (source, birth) = (volume_id(&visit.name), world.fresh());
        let Volume { kind, pool, .. } = visit.before;
        let cut = Cut { birth, source, kind, pool, size, allowed, guests: 0, going: false };
        world.cuts.insert(name, cut);
    }

    fn group_name(&self) -> String {
        format!("group of {}", self.number)
    }

    /// The worker's group, as names of its members, which are known by their ids.
    pub(in crate::storm) fn members(&self) -> Vec<String> {
        let id = group_id(&self.group_name());
        let world = self.sea.world.borrow();
        world.cuts.keys().filter(|name| name.starts_with(&id)).cloned().collect()
    }

    /// Cuts the worker's volume and another one, its own or not, at one instant.
    pub(super) async fn cut_group(&mut self, slot: &Slot) {
        if !self.members().is_empty() {
            return;
        }
        let Some(first) = self.visit(|other, _| other == slot.name) else { return };
        let Some(second) = self.visit(|other, _| other != slot.name) else {
            self.leave(&first);
            return;
        };
        let mut visits = [first, second];
        visits.sort_by_key(|visit| volume_id(&visit.name));
        let ids = [volume_id(&visits[0].name), volume_id(&visits[1].name)];
        let name = self.group_name();
        let what = format!("{name}: {} and {}", visits[0].name, visits[1].name);
        let request = group(&name, &[&ids[0], &ids[1]]);
        let call = async |channel| {
            let mut groups = GroupControllerClient::new(channel);
            groups.create_volume_group_snapshot(request.clone()).await
        };
        // Raw volumes cannot be frozen: of two that are written to all the time no instant may be found, and none
        // in one call says nothing of the next.
        let both_raw = visits.iter().all(|visit| visit.before.kind == Kind::Raw);
        let answer =
            if both_raw { self.once(&what, call).await } else { self.call(&what, call).await };
        let left = [self.leave(&visits[0]), self.leave(&visits[1])];
        let may_fail = both_raw || left.iter().any(|one| one.stopped);
        if may_fail && code(&answer) == Code::FailedPrecondition {
            return;
        }
        expect(&what, &answer, Code::Ok);
        let snapshots = answer.unwrap().group_snapshot.unwrap().snapshots;
        assert_eq!(snapshots.len(), 2, "{what}");
        for (visit, Left { allowed, most, .. }) in visits.iter().zip(left) {
            let source = volume_id(&visit.name);
            let member = snapshots.iter().find(|one| one.source_volume_id == source).unwrap();
            let size = member.size_bytes;
            assert!((visit.before.size..=most).contains(&size), "{what}: {size}");
            self.keep(member.snapshot_id.clone(), visit, size, allowed);
        }
    }

    pub(in crate::storm) async fn drop_group(&mut self) {
        let members = self.members();
        let visited = |name: &String| self.sea.world.borrow().cuts[name].guests > 0;
        if members.iter().any(visited) {
            return;
        }
        for name in &members {
            self.sea.world.borrow_mut().cuts.get_mut(name).unwrap().going = true;
        }
        let request = delete_group(&group_id(&self.group_name()), &members);
        let what = format!("delete {}", self.group_name());
        let answer = self
            .call(&what, async |channel| {
                let mut groups = GroupControllerClient::new(channel);
                groups.delete_volume_group_snapshot(request.clone()).await
            })
            .await;
        expect(&what, &answer, Code::Ok);
        self.sea.world.borrow_mut().cuts.retain(|name, _| !members.contains(name));
    }

    pub(in crate::storm) async fn drop_cut(&mut self, name: &str) {
        match self.sea.world.borrow_mut().cuts.get_mut(name) {
            Some(cut) if cut.guests > 0 => return,
            Some(cut) => cut.going = true,
            None => {}
        }
        let request = delete_snapshot(&snapshot_id(name));
        let what = format!("delete {name}");
        let answer = self
            .call(&what, async |channel| {
                ControllerClient::new(channel).delete_snapshot(request.clone()).await
            })
            .await;
        expect(&what, &answer, Code::Ok);
        self.sea.world.borrow_mut().cuts.remove(name);
    }

    /// Restores anybody's snapshot, sometimes larger.
    pub(super) async fn restore(&mut self, slot: &Slot) {
        let pool = self.pool();
        let fits = |cut: &Cut| cut.kind == slot.kind && cut.pool == pool && !cut.going;
        let names: Vec<_> = {
            let world = self.sea.world.borrow();
            world.cuts.iter().filter(|(_, cut)| fits(cut)).map(|(name, _)| name.clone()).collect()
        };
        let Some(name) = self.dice.of(&names) else { return };
        let larger = self.dice.below(3);
        self.restore_from(slot, &name, larger).await;
    }

    /// Makes the volume of the snapshot, so many steps larger.
    pub(in crate::storm) async fn restore_from(&mut self, slot: &Slot, name: &str, larger: usize) {
        let cut = {
            let mut world = self.sea.world.borrow_mut();
            let cut = world.cuts.get_mut(name).unwrap();
            cut.guests += 1;
            cut.clone()
        };
        // A member of a group is known by its id.
        let id = if name.starts_with("g-") { name.to_owned() } else { snapshot_id(name) };
        let size = (larger > 0).then(|| cut.size + i64::try_from(larger).unwrap() * 32 * MIB);
        let wish = v1::CreateVolumeRequest {
            capacity_range: size.and_then(at_least),
            volume_content_source: of_snapshot(&id),
            ..self.wish(slot)
        };
        let made = self.make(slot, wish, Some(id.clone()), None).await;
        self.sea.world.borrow_mut().cuts.get_mut(name).unwrap().guests -= 1;
        let Some(made) = made else { return };
        assert_eq!(made.capacity_bytes, size.unwrap_or(cut.size), "restore of {name}");
        let volume = Volume::new(slot.kind, self.pool(), cut.size, cut.allowed);
        let (source, same_as) = (Some(id), Some((name.to_owned(), cut.birth)));
        self.add(slot, &made, Volume { asked: size, source, same_as, ..volume });
    }

    /// Clones anybody's volume.
    pub(super) async fn clone_into(&mut self, slot: &Slot) {
        // The volume's own lock is held by the call that makes it.
        let kind = slot.kind;
        let is_meant = |other: &str, one: &Volume| other != slot.name && one.kind == kind;
        let Some(visit) = self.visit(is_meant) else { return };
        let id = volume_id(&visit.name);
        let wish =
            v1::CreateVolumeRequest { volume_content_source: of_volume(&id), ..self.wish(slot) };
        let made = self.make(slot, wish, Some(id.clone()), Some(&visit)).await;
        let Left { allowed, most, .. } = self.leave(&visit);
        let Some(made) = made else { return };
        let size = made.capacity_bytes;
        assert!((visit.before.size..=most).contains(&size), "clone of {}: {size}", visit.name);
        let volume = Volume::new(slot.kind, self.pool(), size, allowed);
        self.add(slot, &made, Volume { source: Some(id), ..volume });
    }
}
