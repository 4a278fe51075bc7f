//! NodePublish and NodeUnpublish of an inline volume: the one path for all kinds.
//!
//! What is about to be made is written down first, and removed from there last. So a process that is killed anywhere
//! between leaves something that the next publish, the unpublish, or the collection of what is left can go on from.

use super::frame::Frame;
use super::record::Record;
use super::request::{Wish, required_id};
use super::target::{At, Identity, Target, TargetPath};
use super::{InlineId, Kept, Made};
use crate::csi::v1;
use crate::error::{Error, Meaning, Noun, Result};
use crate::fault;
use crate::rpc::record_volume;
use crate::sys::inspect::look;

pub(super) async fn publish(
    frame: &Frame,
    request: v1::NodePublishVolumeRequest,
) -> Result<v1::NodePublishVolumeResponse> {
    let kubelet = frame.kubelet()?;
    let settings = &frame.settings;
    let wish = Wish::parse(settings.role, &kubelet.names(), settings.takes_any_id, request)?;
    let id = &wish.volume.id;
    record_volume(id);
    let _guard = frame.settings.locks.try_lock(id)?;
    let record = frame.records.get(id)?;
    if record.as_ref().is_some_and(|record| !record.is_of(wish.target.pod())) {
        let how = "for another pod".to_owned();
        return Err(Error::Differs { what: Noun::Volume, id: id.to_string(), how });
    }
    if record.as_ref().is_some_and(|record| record.digest != wish.digest) {
        let how = "with other attributes".to_owned();
        return Err(Error::Differs { what: Noun::Volume, id: id.to_string(), how });
    }
    let target = Target::open(&kubelet.dir, &wish.target)?.ok_or_else(|| {
        Error::invalid("target_path", "its directory does not exist: kubelet makes it first")
    })?;
    let is = target.look()?;
    match (record, is) {
        (Some(record), At::Mounted(found)) if record.mounted == Some(found) => {
            again(frame, &wish, &record.kept, &target).await?;
        }
        (_, At::Mounted(_)) => return Err(foreign()),
        (record, At::Bare | At::Nothing) => make(frame, wish, record, &target).await?,
    }
    Ok(v1::NodePublishVolumeResponse {})
}

pub(super) async fn unpublish(
    frame: &Frame,
    request: v1::NodeUnpublishVolumeRequest,
) -> Result<v1::NodeUnpublishVolumeResponse> {
    let id = required_id(&request.volume_id)?;
    if request.target_path.is_empty() {
        return Err(Error::invalid("target_path", "is required"));
    }
    let takes_any = frame.settings.takes_any_id;
    // What is none of our ids was never published.
    if id.is_none() && !takes_any {
        return Ok(v1::NodeUnpublishVolumeResponse {});
    }
    let kubelet = frame.kubelet()?;
    let path = TargetPath::parse(&kubelet.names(), &request.target_path)?;
    let id = path.checked_id(id.as_ref(), takes_any)?;
    record_volume(&id);
    let _guard = frame.settings.locks.try_lock(&id)?;
    let record = frame.records.get(&id)?;
    if let Some(target) = Target::open(&kubelet.dir, &path)? {
        target.unmount(frame.users())?;
        fault::point("inline target unmounted");
        target.remove()?;
        fault::point("inline target removed");
    }
    if record.as_ref().is_some_and(|record| !record.is_of(path.pod())) {
        // What is written down, and what there is of it, is another pod's.
        return Ok(v1::NodeUnpublishVolumeResponse {});
    }
    remove(frame, &id, record.map(|record| record.kept).as_ref()).await?;
    Ok(v1::NodeUnpublishVolumeResponse {})
}

/// Removes what the kind has of the volume, and then its record.
pub(super) async fn remove(frame: &Frame, id: &InlineId, kept: Option<&Kept>) -> Result<()> {
    frame.settings.kind.remove(id, kept).await?;
    fault::point("inline backing removed");
    frame.records.remove(id)
}

/// A publish of what is published. Whatever goes wrong, the pod has its volume.
async fn again(frame: &Frame, wish: &Wish, kept: &Kept, target: &Target) -> Result<()> {
    let root = target.root()?;
    match frame.settings.kind.again(&wish.volume, kept, root).await {
        Err(error) if !frame.settings.tells_republish_errors => {
            frame.mask(&error);
            Ok(())
        }
        answer => answer,
    }
}

/// Makes the volume and mounts it. What fails leaves nothing, unless the volume was there before: then its content may
/// still be, and the error is one after which kubelet asks again.
async fn make(frame: &Frame, wish: Wish, before: Option<Record>, target: &Target) -> Result<()> {
    let id = wish.volume.id.clone();
    let kept = frame.settings.kind.plan(&wish.volume)?;
    let Err(why) = make_planned(frame, wish, kept.clone(), target).await else { return Ok(()) };
    if before.is_some_and(|before| before.mounted.is_some()) {
        let sentence = format!("volume {id} cannot be made visible again: {}", why.sentence());
        return Err(Error::Told { meaning: Meaning::Unreachable, sentence });
    }
    match undo(frame, &id, &kept, target).await {
        Ok(()) => Err(why),
        Err(left) => {
            let sentence = format!(
                "{}; what was made of volume {id} cannot be removed yet: {}",
                why.sentence(),
                left.sentence()
            );
            Err(Error::Told { meaning: Meaning::Unreachable, sentence })
        }
    }
}

async fn make_planned(frame: &Frame, wish: Wish, kept: Kept, target: &Target) -> Result<()> {
    let volume = wish.volume;
    let mut record = Record::intent(&volume, wish.digest, kept.clone());
    frame.records.begin(&volume.id, &record)?;
    fault::point("inline intent written");
    let Made { mount, kept } = frame.settings.kind.make(&volume, kept).await?;
    fault::point("inline volume made");
    let seen = look(&mount).map_err(|why| Error::internal("look at a new volume", why))?;
    record.mounted = Some(Identity::of(&seen));
    record.kept = kept;
    frame.records.amend(&volume.id, &record)?;
    fault::point("inline record written");
    target.put(&mount)?;
    fault::point("inline volume mounted");
    Ok(())
}

/// Takes away what a failed publish has made; kubelet may never ask for that.
async fn undo(frame: &Frame, id: &InlineId, kept: &Kept, target: &Target) -> Result<()> {
    if target.look()? == At::Bare {
        target.remove()?;
    }
    remove(frame, id, Some(kept)).await
}

fn foreign() -> Error {
    Error::internal(
        "publish an inline volume",
        "something is mounted at its target that this driver does not know; it is left as it is",
    )
}
