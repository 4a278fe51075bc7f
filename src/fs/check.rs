//! Checks a file system before it is mounted, if there is a reason to.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use super::{Error, superblock};
use crate::sys::blocking;
use crate::tool::{Invocation, OnLimit, Program, ToolError};
use crate::volume::FsType;

/// How long a check may take: that of a large damaged volume takes as long as reading all its metadata.
const LIMIT: Duration = Duration::from_hours(1);

/// What e2fsck calls success: nothing to do; repaired; repaired, and a mounted root file system needs a reboot.
const WELL: [i32; 3] = [0, 1, 2];

/// Makes sure that the file system on the device or image can be mounted. Nobody has it mounted.
///
/// Only ext4 has a program for that, and it runs only when the journal is dirty or errors are flagged. The
/// other two bring themselves in order when they are mounted. The program, which may outlive us, holds `lock`;
/// it is never killed.
pub async fn check(device: &Path, fs: FsType, lock: OwnedFd) -> Result<(), Error> {
    match fs {
        FsType::Ext4 => check_ext4(device, lock).await,
        FsType::Xfs | FsType::Btrfs => Ok(()),
    }
}

/// Says whether the file system on the device or image says of itself that it met an error. Only ext4 keeps that.
pub fn has_error(device: &Path, fs: FsType) -> Result<bool, Error> {
    match fs {
        FsType::Ext4 => Ok(superblock::read_ext4(device)?.has_error()),
        FsType::Xfs | FsType::Btrfs => Ok(false),
    }
}

async fn check_ext4(device: &Path, lock: OwnedFd) -> Result<(), Error> {
    let path = device.to_owned();
    let superblock = blocking(move || superblock::read_ext4(&path)).await?;
    if !superblock.needs_check() {
        return Ok(());
    }
    let output = e2fsck(device).holding(lock).accepting(&WELL).run().await;
    let output = output.map_err(|error| failed(device, error))?;
    tracing::info!(device = %device.display(), code = output.code, said = output.stdout.trim(), "checked");
    Ok(())
}

fn e2fsck(device: &Path) -> Invocation {
    let args: [OsString; 2] = ["-p".into(), device.into()];
    Invocation::new(Program::E2fsck, args, LIMIT).on_limit(OnLimit::TerminateAndWait)
}

/// An exit code is e2fsck's word on the file system; without one it was ended by somebody, and says nothing.
fn failed(device: &Path, error: ToolError) -> Error {
    if matches!(&error, ToolError::Failed { status, .. } if status.code().is_some()) {
        return Error::NeedsRepair { path: device.to_owned(), source: error };
    }
    Error::of_tool(device, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e2fsck_only_repairs_what_is_safe_and_is_never_killed() {
        let call = e2fsck(Path::new("/dev/loop3"));
        assert_eq!(call.to_string(), "e2fsck -p /dev/loop3");
        assert_eq!(call.on_limit, OnLimit::TerminateAndWait);
    }
}
