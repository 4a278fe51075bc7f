//! The UUID of a file system: read from its superblock, and changed in a copy.
//!
//! A copy begins with the UUID of its source. XFS refuses to mount it beside the source then, and btrfs takes
//! the two for one file system.

mod btrfs;

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::{Error, superblock};
use crate::sys::blocking;
use crate::tool::{Invocation, OnLimit, Program};
use crate::volume::FsType;

/// How long a change may take: `xfs_db` writes the log anew, up to 2 GiB.
const LIMIT: Duration = Duration::from_mins(10);

/// Returns the UUID of the file system on the image or device.
pub fn read_uuid(image: &Path, fs: FsType) -> Result<Uuid, Error> {
    Ok(match fs {
        FsType::Xfs => superblock::read_xfs(image)?.uuid,
        FsType::Ext4 => superblock::read_ext4(image)?.uuid,
        FsType::Btrfs => superblock::read_btrfs(image)?.fsid,
    })
}

/// Says whether the file system has this UUID and no change to it was left half done.
pub fn has_uuid(image: &Path, fs: FsType, uuid: Uuid) -> Result<bool, Error> {
    if read_uuid(image, fs)? != uuid {
        return Ok(false);
    }
    match fs {
        // The first superblock is the first that xfs_db writes.
        FsType::Xfs => Ok(superblock::read_last_xfs(image)?.uuid == uuid),
        // The first superblock is the last that tune2fs writes, and that we write to a btrfs.
        FsType::Ext4 | FsType::Btrfs => Ok(true),
    }
}

/// Gives the file system on the image this UUID. Nobody has it mounted, and nothing is to be replayed in XFS and
/// ext4; a program, which may outlive us, holds `lock` and is never killed.
///
/// It can be repeated, also after it was cut off anywhere in between.
pub async fn set_uuid(image: &Path, fs: FsType, uuid: Uuid, lock: OwnedFd) -> Result<(), Error> {
    if reread(image, fs, uuid).await?.is_none() {
        return Ok(());
    }
    match fs {
        FsType::Xfs => run(image, xfs_db(image, uuid), lock).await?,
        FsType::Ext4 => run(image, tune2fs(image, uuid), lock).await?,
        FsType::Btrfs => {
            let image = image.to_owned();
            blocking(move || btrfs::set_uuid(&image, uuid)).await?;
        }
    }
    // xfs_db says success when it found a dirty log and changed nothing.
    match reread(image, fs, uuid).await? {
        None => Ok(()),
        Some(found) => Err(Error::UuidUnchanged { path: image.to_owned(), wanted: uuid, found }),
    }
}

/// Returns the UUID that the file system has instead of the one wanted.
async fn reread(image: &Path, fs: FsType, wanted: Uuid) -> Result<Option<Uuid>, Error> {
    let image = image.to_owned();
    blocking(move || {
        let same = has_uuid(&image, fs, wanted)?;
        if same { Ok(None) } else { read_uuid(&image, fs).map(Some) }
    })
    .await
}

async fn run(image: &Path, invocation: Invocation, lock: OwnedFd) -> Result<(), Error> {
    let ran = invocation.on_limit(OnLimit::TerminateAndWait).holding(lock).run().await;
    ran.map(drop).map_err(|error| Error::of_tool(image, error))
}

/// Not `xfs_admin`, which is a shell script around the same.
fn xfs_db(image: &Path, uuid: Uuid) -> Invocation {
    let args: [OsString; 4] =
        ["-x".into(), "-c".into(), format!("uuid {uuid}").into(), image.into()];
    Invocation::new(Program::XfsDb, args, LIMIT)
}

fn tune2fs(image: &Path, uuid: Uuid) -> Invocation {
    let args: [OsString; 3] = ["-U".into(), uuid.to_string().into(), image.into()];
    Invocation::new(Program::Tune2fs, args, LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_are_told_the_uuid() {
        let (image, uuid) = (Path::new("/x"), Uuid::from_u128(1));
        let digits = "00000000-0000-0000-0000-000000000001";
        assert_eq!(xfs_db(image, uuid).to_string(), format!("xfs_db -x -c uuid {digits} /x"));
        assert_eq!(tune2fs(image, uuid).to_string(), format!("tune2fs -U {digits} /x"));
    }
}
