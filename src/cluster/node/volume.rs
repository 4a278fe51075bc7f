//! Volumes: made, grown, limited and removed as they are wished.

use std::collections::BTreeMap;

use async_trait::async_trait;
use uuid::Uuid;

use super::Shared;
use super::kind::Kind;
use crate::backend::{Contents, LocalPool};
use crate::cluster::objects::{Volume, VolumeStatus};
use crate::error::{Error, Noun, Result};
use crate::volume::{self as noun, Bytes, Condition, Content, NewVolume, Source, VolumeId};

#[async_trait]
impl Kind for Volume {
    type Made = noun::Volume;

    fn check(&self, pool: &LocalPool) -> Result<()> {
        let wanted = self.wanted()?;
        let least = pool.backend.least_size(wanted.content);
        if wanted.size < least {
            let (size, content) = (wanted.size, wanted.content);
            let reason =
                format!("{size} is less than {least}, the least size of a volume with {content}");
            return Err(Error::OutOfRange { reason });
        }
        Ok(())
    }

    /// A snapshot never changes, and deleting it leaves what is being read.
    fn sources(&self) -> Result<Vec<String>> {
        Ok(match self.wanted()?.source {
            Some(Source::Volume(id)) => vec![id.to_string()],
            Some(Source::Snapshot(_)) | None => Vec::new(),
        })
    }

    async fn find(pool: &LocalPool, id: &VolumeId) -> Result<Option<noun::Volume>> {
        pool.backend.find(id).await
    }

    async fn make(&self, pool: &LocalPool) -> Result<noun::Volume> {
        let wanted = self.wanted()?;
        fits_its_source(pool, &wanted).await?;
        Ok(pool.backend.create(&wanted).await?.into_inner())
    }

    fn recognize(&self, found: &noun::Volume) -> Result<()> {
        let wanted = self.wanted()?;
        if found.is(&wanted) {
            return Ok(());
        }
        let how =
            format!("as {} with {}, under the name {}", found.content, found.size, found.name);
        Err(Error::Differs { what: Noun::Volume, id: wanted.id.to_string(), how })
    }

    fn needs_change(&self, found: &noun::Volume) -> Result<bool> {
        Ok(self.limits() != found.limits
            || self.attachments()? != found.attachments
            || self.spec.bytes > found.size)
    }

    /// Grows it last: what else is wished costs no room.
    async fn change(&self, shared: &Shared, pool: &LocalPool, found: &noun::Volume) -> Result<()> {
        let (id, limits, attachments) = (&found.id, self.limits(), self.attachments()?);
        if limits != found.limits {
            pool.backend.set_limits(id, limits).await?;
            tracing::info!(volume = %id, before = %found.limits, now = %limits, "limits changed");
            shared.settings.enforcer.limits_changed(id).await;
        }
        if attachments != found.attachments {
            pool.backend.set_attachments(id, &attachments).await?;
        }
        if self.spec.bytes > found.size {
            pool.backend.expand(id, self.spec.bytes).await?;
        }
        Ok(())
    }

    /// What is a device is staged.
    async fn is_held(pool: &LocalPool, id: &VolumeId) -> bool {
        matches!(pool.backend.attached(id).await, Ok(Some(_)))
    }

    async fn remove(pool: &LocalPool, id: &VolumeId) -> Result<()> {
        pool.backend.delete(id).await.map(drop)
    }

    fn ready(made: &noun::Volume, pool: Uuid) -> VolumeStatus {
        VolumeStatus::ready(made, &pool.to_string())
    }

    async fn unwell(
        shared: &Shared,
        pool: &LocalPool,
    ) -> Result<BTreeMap<VolumeId, Vec<Condition>>> {
        let unwell = pool.backend.unwell(None, usize::MAX).await?;
        let mut all: BTreeMap<_, _> =
            unwell.into_iter().map(|one| (one.id, one.conditions)).collect();
        for (id, why) in shared.settings.enforcer.unenforced() {
            all.entry(id).or_default().push(Condition::limits_not_enforced(why));
        }
        Ok(all)
    }

    fn is_in(contents: &Contents, id: &VolumeId) -> bool {
        contents.volumes.contains(id)
    }

    /// The scheduler looks for another node.
    fn elsewhere(reason: String) -> Error {
        Error::Elsewhere { reason }
    }
}

/// Checks that the source is there and can become what is wished for.
async fn fits_its_source(pool: &LocalPool, wanted: &NewVolume) -> Result<()> {
    let Some((size, content)) = origin(pool, wanted).await? else { return Ok(()) };
    if content != wanted.content {
        let reason = format!("has {content}; a copy of it cannot have {}", wanted.content);
        return Err(Error::invalid("spec.source", reason));
    }
    if size > wanted.size {
        let reason = format!("a copy of {size} cannot be {}", wanted.size);
        return Err(Error::OutOfRange { reason });
    }
    Ok(())
}

async fn origin(pool: &LocalPool, wanted: &NewVolume) -> Result<Option<(Bytes, Content)>> {
    match &wanted.source {
        None => Ok(None),
        Some(Source::Volume(id)) => {
            let found = pool.backend.find(id).await?.ok_or_else(|| Error::no_volume(id))?;
            Ok(Some((found.size, found.content)))
        }
        Some(Source::Snapshot(id)) => {
            let found = match pool.backend.snapshots() {
                Some(snapshots) => snapshots.find(id).await?,
                None => None,
            };
            let found = found.ok_or_else(|| Error::no_snapshot(id))?;
            Ok(Some((found.size, found.content)))
        }
    }
}
