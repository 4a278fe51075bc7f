//! NodeGetVolumeStats: how full a volume is. Takes no lock.

use std::path::Path;

use super::Settings;
use crate::csi::v1;
use crate::csi::v1::VolumeUsage;
use crate::csi::v1::volume_usage::Unit;
use crate::error::{Error, Result};
use crate::rpc::record_volume;
use crate::volume::{Bytes, Content, VolumeId};

pub(super) async fn stats(
    settings: &Settings,
    request: v1::NodeGetVolumeStatsRequest,
) -> Result<v1::NodeGetVolumeStatsResponse> {
    let id = VolumeId::required(&request.volume_id);
    if request.volume_path.is_empty() {
        return Err(Error::invalid("volume_path", "is required"));
    }
    let id = id?;
    record_volume(&id);
    let (pool, volume) = settings.pools.volume(&id).await?;
    let at = Path::new(&request.volume_path);
    super::volume::visible_at(&*settings.host, pool, &id, at).await?;
    let usage = match volume.content {
        Content::Block => vec![VolumeUsage {
            total: volume.size.to_csi(),
            unit: Unit::Bytes.into(),
            ..VolumeUsage::default()
        }],
        Content::FileSystem(_) => {
            let usage = settings.host.usage(at).await?;
            let [used, total, available] =
                [usage.used, usage.total, usage.available].map(Bytes::to_csi);
            let count = |number| i64::try_from(number).unwrap_or(i64::MAX);
            let inodes = VolumeUsage {
                available: count(usage.inodes_free),
                total: count(usage.inodes),
                used: count(usage.inodes_used),
                unit: Unit::Inodes.into(),
            };
            vec![VolumeUsage { available, total, used, unit: Unit::Bytes.into() }, inodes]
        }
    };
    Ok(v1::NodeGetVolumeStatsResponse { usage })
}
