//! Images that come in and go out: the same by way of the driver as without one.

use std::path::{Path, PathBuf};

use crate::backend::{Import, Imported, Registry};
use crate::csi::admin::{ExportRequest, ImportRequest, ImportResponse};
use crate::error::{Error, Noun, Result};
use crate::locks::Locks;
use crate::rpc::record_volume;
use crate::volume::{Content, Name, SnapshotId, Source, VolumeId};

/// Makes a volume of a file.
pub async fn import(
    pools: &Registry,
    locks: &Locks,
    request: ImportRequest,
) -> Result<ImportResponse> {
    let pool = pools.named((!request.pool.is_empty()).then_some(request.pool.as_str()))?;
    let name = Name::parse(&request.name)?;
    let (id, file) = (VolumeId::of(&name), absolute(&request.file)?);
    record_volume(&id);
    let _guard = locks.try_lock(&id)?;
    // An id means one volume, whichever pool it is in.
    if let Some((pool, _)) = pools.find(&id).await? {
        let how = format!("in pool {}; choose another name", pool.name);
        return Err(Error::Differs { what: Noun::Volume, id: id.to_string(), how });
    }
    let wanted = Import { name, file, moved: request.r#move, raw: request.raw };
    let Imported { volume, left } = pool.transfer()?.import(&wanted).await?;
    tracing::info!(file = %wanted.file.display(), volume = %volume.id, "imported");
    Ok(ImportResponse {
        volume_id: volume.id.to_string(),
        capacity_bytes: volume.size.to_csi(),
        fs_type: match volume.content {
            Content::FileSystem(fs) => fs.to_string(),
            Content::Block => String::new(),
        },
        warning: left.unwrap_or_default(),
    })
}

/// Writes the image of a volume or snapshot to a file, and says what was done.
pub async fn export(pools: &Registry, locks: &Locks, request: ExportRequest) -> Result<String> {
    let file = absolute(&request.file)?;
    let source = source(&request.id)?;
    let (pool, _guard) = match &source {
        Source::Volume(id) => {
            record_volume(id);
            (pools.volume(id).await?.0, locks.try_lock(id)?)
        }
        Source::Snapshot(id) => {
            record_volume(id);
            (pools.snapshot(id).await?.0, locks.try_lock(id)?)
        }
    };
    pool.transfer()?.export(&source, &file, request.force).await?;
    tracing::info!(file = %file.display(), %source, "exported");
    Ok(format!("{source} is in {}", file.display()))
}

/// An id says by its beginning what it is the id of.
fn source(id: &str) -> Result<Source> {
    match id.parse::<SnapshotId>() {
        Ok(id) => Ok(Source::Snapshot(id)),
        Err(_) => VolumeId::required(id).map(Source::Volume),
    }
}

/// A relative path would mean another file to the driver than to whoever asks.
fn absolute(file: &str) -> Result<PathBuf> {
    let path = Path::new(file);
    if path.is_absolute() && path.file_name().is_some() {
        return Ok(path.to_owned());
    }
    Err(Error::invalid("file", format!("{file:?} is no absolute path of a file")))
}
