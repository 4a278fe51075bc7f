//! NodeGetVolumeStats and NodeGetVolumeHealth of an inline volume. They take no lock, and answer in time though the
//! volume may hang.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::InlineId;
use super::frame::Frame;
use super::request::required_id;
use super::target::{At, Target, TargetPath};
use crate::csi::v1;
use crate::csi::v1::VolumeUsage;
use crate::csi::v1::volume_usage::Unit;
use crate::error::{Error, Result};
use crate::rpc::record_volume;
use crate::sys::blocking;
use crate::sys::questions::Questions;
use crate::volume::{Bytes, health};

/// How long the volume is waited for, so that the call is answered within two seconds.
const LIMIT: Duration = Duration::from_millis(1500);

pub(super) async fn stats(
    frame: &Arc<Frame>,
    asking: &Questions<InlineId>,
    request: v1::NodeGetVolumeStatsRequest,
) -> Result<v1::NodeGetVolumeStatsResponse> {
    let id = required_id(&request.volume_id)?;
    if request.volume_path.is_empty() {
        return Err(Error::invalid("volume_path", "is required"));
    }
    let id = named(frame, id, &request.volume_id, &request.volume_path)?;
    record_volume(&id);
    let peer = format!("volume {id}");
    let question = {
        let (frame, id) = (Arc::clone(frame), id.clone());
        blocking(move || of_volume(&frame, &id, &request.volume_path))
    };
    match asking.ask(id, Instant::now() + LIMIT, question).await {
        Ok(usage) => Ok(v1::NodeGetVolumeStatsResponse { usage: usage? }),
        Err(silence) => Err(Error::Unreachable { peer, source: silence.into() }),
    }
}

pub(super) fn health_of(
    frame: &Frame,
    request: &v1::NodeGetVolumeHealthRequest,
) -> Result<v1::NodeGetVolumeHealthResponse> {
    let id = required_id(&request.volume_id)?;
    let id = named(frame, id, &request.volume_id, &request.volume_publish_path)?;
    record_volume(&id);
    if frame.records.get(&id)?.is_none() {
        return Err(Error::no_volume(&id));
    }
    let volume_health = Some(health::to_csi(&id, frame.settings.kind.health(&id)));
    Ok(v1::NodeGetVolumeHealthResponse { volume_health })
}

/// Returns the id of the volume that is meant. Where any id may be named, the path says which volume that is.
fn named(frame: &Frame, id: Option<InlineId>, text: &str, path: &str) -> Result<InlineId> {
    if !frame.settings.takes_any_id {
        return id.ok_or_else(|| Error::no_volume(text));
    }
    let kubelet = frame.kubelet()?;
    let path = TargetPath::parse(&kubelet.names(), path).ok();
    path.map(|path| path.id()).or(id).ok_or_else(|| Error::no_volume(text))
}

fn of_volume(frame: &Frame, id: &InlineId, path: &str) -> Result<Vec<VolumeUsage>> {
    let kubelet = frame.kubelet()?;
    let elsewhere = || Error::no_volume(format!("{id} at {path}"));
    let path = TargetPath::parse(&kubelet.names(), path).ok().filter(|path| path.id() == *id);
    let path = path.ok_or_else(elsewhere)?;
    let record = frame.records.get(id)?.ok_or_else(elsewhere)?;
    let target = Target::open(&kubelet.dir, &path)?.ok_or_else(elsewhere)?;
    match (record.mounted, target.look()?) {
        (Some(ours), At::Mounted(found)) if ours == found => {}
        _ => return Err(elsewhere()),
    }
    let usage = frame.settings.kind.usage(id, &record.kept, target.root()?.as_fd());
    let usage = usage.map_err(|why| Error::internal("read how full the volume is", why))?;
    let bytes = |number| Bytes(number).to_csi();
    Ok(vec![
        VolumeUsage {
            available: bytes(usage.available_bytes),
            total: bytes(usage.total_bytes),
            used: bytes(usage.used_bytes),
            unit: Unit::Bytes.into(),
        },
        VolumeUsage {
            available: bytes(usage.free_inodes),
            total: bytes(usage.total_inodes),
            used: bytes(usage.used_inodes),
            unit: Unit::Inodes.into(),
        },
    ])
}
