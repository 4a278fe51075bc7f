//! What an image has beyond its record: an expand was killed before the record was written, and may never be
//! asked for again.
//!
//! A device is never larger than the record says, because a file system that took the surplus would be cut off
//! by the next copy, which has the size of the record. So the surplus goes before a device can show it.

use std::fs::File;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use super::error::{Error, Result};
use super::record::{Record, VolumeRecord};
use super::store::{Held, image_length, open_image};
use super::uses;
use crate::error::Noun;
use crate::sys::block;
use crate::sys::failure::Doing;
use crate::volume::Bytes;

/// Cuts off what the image has beyond its record, and returns how much that was.
///
/// An expand that was not finished leaves nothing but zeros. Anything else there is somebody's data, of a volume
/// whose record is too old: that volume is refused as it is.
pub(super) fn cut_off(held: &Held, record: &VolumeRecord) -> Result<Bytes> {
    let (length, recorded) = (image_length(&held.dir)?, record.size());
    if length <= recorded {
        return Ok(Bytes::ZERO);
    }
    let path = held.dir.path_of(super::layout::IMAGE);
    let image = open_image(&held.dir)?;
    if has_data_behind(&image, recorded)? || is_shown(&image, recorded)? {
        let (what, id) = (Noun::Volume, record.id());
        return Err(Error::unfit(format!(
            "{what} {id} has more data than its record says: its image {} has {length}, the record {recorded}; \
             expand the volume to {length} or more",
            path.display()
        )));
    }
    image.set_len(recorded.0).doing(|| format!("cut {} to its size", path.display()))?;
    tracing::info!(image = %path.display(), %length, %recorded, "took back an expand that was not finished");
    Ok(length.less(recorded))
}

fn has_data_behind(image: &File, offset: Bytes) -> Result<bool> {
    match seek(image, SeekFrom::Data(offset.0)) {
        Ok(_) => Ok(true),
        Err(Errno::NXIO) => Ok(false),
        Err(errno) => Ok(Err(errno).doing(|| "look for data in an image")?),
    }
}

/// Says whether the image is a device that is larger.
fn is_shown(image: &File, recorded: Bytes) -> Result<bool> {
    let Some(device) = uses::device_of(image)? else { return Ok(false) };
    Ok(block::size(&device.path)? > recorded.0)
}
