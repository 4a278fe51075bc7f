//! NodeGetVolumeStats: how full a volume is. Takes no lock, and answers in time though the volume may hang.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Settings;
use super::asking::{About, Asking};
use crate::backend::Registry;
use crate::csi::v1;
use crate::csi::v1::VolumeUsage;
use crate::csi::v1::volume_usage::Unit;
use crate::error::{Error, Result};
use crate::host::{Host, Usage};
use crate::rpc::record_volume;
use crate::volume::{Bytes, Content, VolumeId};

/// How long the volume is waited for, so that the call is answered within two seconds.
const LIMIT: Duration = Duration::from_millis(1500);

pub(super) async fn stats(
    settings: &Settings,
    asking: &Asking,
    request: v1::NodeGetVolumeStatsRequest,
) -> Result<v1::NodeGetVolumeStatsResponse> {
    let id = VolumeId::required(&request.volume_id);
    if request.volume_path.is_empty() {
        return Err(Error::invalid("volume_path", "is required"));
    }
    let id = id?;
    record_volume(&id);
    let at = PathBuf::from(request.volume_path);
    let peer = format!("volume {id} at path {}", at.display());
    let about = About::Usage(id.clone());
    let question = usage(settings.pools.clone(), Arc::clone(&settings.host), id, at);
    match asking.ask(about, Instant::now() + LIMIT, question).await {
        Ok(usage) => Ok(v1::NodeGetVolumeStatsResponse { usage: usage? }),
        Err(silence) => Err(Error::Unreachable { peer, source: silence.into() }),
    }
}

async fn usage(
    pools: Registry,
    host: Arc<dyn Host>,
    id: VolumeId,
    at: PathBuf,
) -> Result<Vec<VolumeUsage>> {
    let (pool, volume) = pools.volume(&id).await?;
    super::volume::visible_at(&*host, pool, &id, &at).await?;
    Ok(match volume.content {
        Content::Block => vec![VolumeUsage {
            total: volume.size.to_csi(),
            unit: Unit::Bytes.into(),
            ..VolumeUsage::default()
        }],
        Content::FileSystem(_) => of_file_system(&*host, &at).await?,
    })
}

async fn of_file_system(host: &dyn Host, at: &Path) -> Result<Vec<VolumeUsage>> {
    let usage: Usage = host.usage(at).await?;
    let [used, total, available] = [usage.used, usage.total, usage.available].map(Bytes::to_csi);
    let count = |number| i64::try_from(number).unwrap_or(i64::MAX);
    let inodes = VolumeUsage {
        available: count(usage.inodes_free),
        total: count(usage.inodes),
        used: count(usage.inodes_used),
        unit: Unit::Inodes.into(),
    };
    Ok(vec![VolumeUsage { available, total, used, unit: Unit::Bytes.into() }, inodes])
}
