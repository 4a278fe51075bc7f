//! The group snapshots of a pool that is elsewhere.

use async_trait::async_trait;

use super::remote::Remote;
use crate::backend::{Ensured, Groups};
use crate::cluster::objects::GroupSnapshot;
use crate::error::Result;
use crate::volume::{Group, GroupId, NewGroup};

#[async_trait]
impl Groups for Remote {
    async fn cut(&self, wanted: &NewGroup) -> Result<Ensured<Group>> {
        let cut = self.shared.fulfil(GroupSnapshot::wish(wanted, &self.home)).await?;
        Ok(match cut {
            Ensured::Made((group, _)) => Ensured::Made(group),
            Ensured::Found((group, _)) => Ensured::Found(group),
        })
    }

    async fn delete(&self, id: &GroupId) -> Result<Ensured<()>> {
        self.shared.remove::<GroupSnapshot>(id.as_str()).await
    }

    async fn find(&self, id: &GroupId) -> Result<Option<Group>> {
        let seen = self.shared.look::<GroupSnapshot>(id.as_str()).await?;
        let here = seen.filter(|seen| seen.home == self.home);
        Ok(here.and_then(|seen| seen.made().map(|(group, _)| group.clone())))
    }
}
