//! Group snapshots in memory: one mutex makes every cut of one instant.

use async_trait::async_trait;

use super::Memory;
use crate::backend::{Ensured, Groups};
use crate::error::Result;
use crate::volume::{Bytes, Group, GroupId, NewGroup, Timestamp};

#[async_trait]
impl Groups for Memory {
    async fn cut(&self, wanted: &NewGroup) -> Result<Ensured<Group>> {
        let mut state = self.state();
        if let Some(found) = state.groups.get(&wanted.id) {
            return found.clone().as_wanted(wanted).map(Ensured::Found);
        }
        let created = Timestamp::now();
        let mut members = Vec::new();
        for (id, source) in wanted.members().zip(wanted.sources()) {
            members.push(wanted.member_at(id, state.volume(source)?, created));
        }
        let sizes = members.iter().map(|member| member.size);
        self.room(&state, sizes.fold(Bytes::ZERO, Bytes::plus))?;
        state.snapshots.extend(members.into_iter().map(|member| (member.id.clone(), member)));
        let group = wanted.cut_at(created);
        state.groups.insert(wanted.id.clone(), group.clone());
        Ok(Ensured::Made(group))
    }

    async fn delete(&self, id: &GroupId) -> Result<Ensured<()>> {
        let mut state = self.state();
        let Some(group) = state.groups.remove(id) else { return Ok(Ensured::Found(())) };
        for member in group.members() {
            state.snapshots.remove(&member);
        }
        Ok(Ensured::Made(()))
    }

    async fn find(&self, id: &GroupId) -> Result<Option<Group>> {
        Ok(self.state().groups.get(id).cloned())
    }
}
