//! Makes a file system on an image that is being built: a regular file, without a loop device.
//!
//! On a file mkfs takes milliseconds, udev sees nothing, and there is never a half-made file system that
//! somebody would have to guess about. The features are written out and are those that Linux 5.14 mounts,
//! whatever the program would choose: a volume must be mountable on every node, also after a downgrade. The
//! sectors are 4096 bytes whatever the volume's block size, because a file that shares extents takes no less.

mod btrfs;
mod ext4;
mod thin;
mod xfs;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::Error;
use super::version::Known;
use crate::sys::blocking;
use crate::tool::{Invocation, Program};
use crate::volume::FsType;

/// How long mkfs may take: it writes some 70 MiB at most, on a disk that may be busy.
const LIMIT: Duration = Duration::from_mins(2);
/// How long a program may take to say its version.
pub(super) const PROBE_LIMIT: Duration = Duration::from_secs(20);

static XFS: Known = Known::new(Program::MkfsXfs);
static EXT4: Known = Known::new(Program::MkfsExt4);
static BTRFS: Known = Known::new(Program::MkfsBtrfs);

/// The file system to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Which one.
    pub fs: FsType,
    /// Its UUID; random if there is none.
    pub uuid: Option<Uuid>,
    /// Whether the image shall take no more space than it needs: what mkfs allocated or filled with zeros is
    /// made a hole again. An image that shall have its space is allocated after this, not before.
    pub thin: bool,
}

/// Makes a file system that fills the image, which is a regular file of holes with its final size.
///
/// The program, which may outlive us, holds `lock`. It overwrites whatever is there: the file is ours and not
/// yet a volume.
pub async fn format(image: &Path, lock: OwnedFd, wish: Format) -> Result<(), Error> {
    let invocation = invocation(image, wish).await?;
    let ran = invocation.holding(lock).run().await;
    ran.map_err(|error| Error::of_tool(image, error))?;
    if wish.thin {
        let image = image.to_owned();
        blocking(move || thin::release(&image)).await?;
    }
    Ok(())
}

/// Makes a file system for a volume that nobody keeps: without a journal, which only costs time and room where nothing
/// has to outlive a crash of the node, and with so many inodes if that is said.
pub async fn scratch(
    image: &Path,
    lock: OwnedFd,
    fs: FsType,
    inodes: Option<u32>,
) -> Result<(), Error> {
    let invocation = match fs {
        FsType::Ext4 => ext4::scratch(image, inodes, EXT4.get().await?),
        FsType::Xfs | FsType::Btrfs => {
            invocation(image, Format { fs, uuid: None, thin: true }).await?
        }
    };
    let ran = invocation.holding(lock).run().await;
    ran.map_err(|error| Error::of_tool(image, error))?;
    let image = image.to_owned();
    Ok(blocking(move || thin::release(&image)).await?)
}

async fn invocation(image: &Path, wish: Format) -> Result<Invocation, Error> {
    Ok(match wish.fs {
        FsType::Xfs => xfs::invocation(image, wish.uuid, XFS.get().await?),
        FsType::Ext4 => ext4::invocation(image, wish.uuid, EXT4.get().await?),
        FsType::Btrfs => btrfs::invocation(image, wish.uuid, BTRFS.get().await?),
    })
}
