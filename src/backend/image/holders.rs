//! Who holds a volume, in words: for an admin who wants to get rid of it.

use super::ImagePool;
use super::error::{Error, Result};
use crate::volume::VolumeId;

impl ImagePool {
    /// Returns who holds the volume: the kernel's uses of it first, then the records of the attachments.
    pub async fn holders(&self, id: &VolumeId) -> crate::error::Result<Vec<String>> {
        Ok(self.all_holders(id).await?)
    }

    async fn all_holders(&self, id: &VolumeId) -> Result<Vec<String>> {
        let used = self.use_of(id).await?;
        let mut holders: Vec<String> = used.iter().map(ToString::to_string).collect();
        match self.volumes.get(id).await {
            Ok(record) => {
                let nodes = record.volume.attachments.into_iter().map(|one| one.node);
                holders
                    .extend(nodes.map(|node| format!("it is attached to node {node} by record")));
            }
            // What the kernel says is worth having all the same.
            Err(damaged @ Error::Damaged { .. }) => holders.push(damaged.to_string()),
            Err(error) => return Err(error),
        }
        Ok(holders)
    }
}
