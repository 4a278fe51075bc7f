//! Thousands of volumes, written into a pool while no driver runs.

use std::fs::{self, File};
use std::path::PathBuf;

use orlop::sys::blocking;
use orlop::volume::{Name, VolumeId};
use serde_json::Value;

use crate::client::{Client, Source};
use crate::driver::Result;
use crate::pool::Pool;

const TEMPLATE: &str = "pvc-template";

/// Returns the record that the driver writes for a new volume.
pub(crate) async fn record_of(client: &Client, pool: &Pool, bytes: u64) -> Result<Vec<u8>> {
    let id = client.create(TEMPLATE, bytes, Source::Nothing).await?;
    let record = fs::read(pool.of_driver().join("volumes").join(&id).join("volume.json"))?;
    client.delete(&id).await?;
    pool.settled().await?;
    Ok(record)
}

/// Writes `count` volumes into the pool, each with a record like this one and an image of holes.
pub(crate) async fn write(pool: &Pool, record: &[u8], count: usize) -> Result<()> {
    let record: Value = serde_json::from_slice(record)?;
    let (volumes, root) = (pool.of_driver().join("volumes"), pool.of_driver());
    blocking(move || {
        for number in 0..count {
            write_one(&volumes, record.clone(), &format!("pvc-{number}"))?;
        }
        Ok(rustix::fs::syncfs(std::fs::File::open(&root)?)?)
    })
    .await
}

fn write_one(volumes: &std::path::Path, mut record: Value, name: &str) -> Result<()> {
    let id = VolumeId::of(&Name::parse(name)?);
    let dir: PathBuf = volumes.join(id.as_str());
    let volume = record.get_mut("volume").ok_or("a record without a volume")?;
    let size = volume.get("size").and_then(Value::as_u64).ok_or("a volume without a size")?;
    let fields = volume.as_object_mut().ok_or("a volume without fields")?;
    fields.insert("id".to_owned(), id.as_str().into());
    fields.insert("name".to_owned(), name.into());
    fs::create_dir(&dir)?;
    File::create(dir.join("data.img"))?.set_len(size)?;
    Ok(fs::write(dir.join("volume.json"), serde_json::to_vec_pretty(&record)?)?)
}
