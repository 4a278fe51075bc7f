//! Says what is on a device before we take it for ours.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use super::Error;
use crate::sys::{self, Doing, blocking};
use crate::tool::{Invocation, Program};

/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(30);
/// What blkid says when it knows nothing of what it sees.
const NOTHING: i32 = 2;

/// Returns what the device or file holds, such as `ext4` or `LVM2_member`, or nothing when it is blank.
///
/// Every signature counts, of file systems, raids, swap and partition tables alike; several on one device are
/// an error of the program, and so is a device that cannot be read.
pub async fn signature(path: &Path) -> Result<Option<String>, Error> {
    let device = path.to_owned();
    blocking(move || readable(&device)).await?;
    // -p looks at the device itself, not into a cache of last week.
    let args: [OsString; 4] = ["-p".into(), "-o".into(), "export".into(), path.into()];
    let invocation = Invocation::new(Program::Blkid, args, LIMIT);
    let output = invocation.accepting(&[0, NOTHING]).run().await?;
    if output.code == NOTHING {
        return Ok(None);
    }
    Ok(Some(name(&output.stdout)))
}

/// Makes sure that the device can be read: blkid says "nothing" of one that cannot, or that does not exist.
fn readable(path: &Path) -> sys::Result<()> {
    let doing = || format!("read {}", path.display());
    let mut block = [0; 4096];
    File::open(path).doing(doing)?.read_exact_at(&mut block, 0).doing(doing)
}

/// Reads the name of a signature from what `blkid -o export` prints: a `KEY=value` in each line.
fn name(output: &str) -> String {
    let value = |key: &str| {
        let pairs = output.lines().filter_map(|line| line.split_once('='));
        pairs.into_iter().find(|(found, _)| *found == key).map(|(_, value)| value.to_owned())
    };
    let table = || value("PTTYPE").map(|kind| format!("{kind} partition table"));
    value("TYPE").or_else(table).unwrap_or_else(|| "something unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_type_of_what_is_there() {
        for (output, expected) in [
            ("DEVNAME=/dev/loop1\nUUID=5a\nBLOCK_SIZE=4096\nTYPE=xfs\nUSAGE=filesystem\n", "xfs"),
            ("DEVNAME=/x\nTYPE=LVM2_member\nUSAGE=raid\n", "LVM2_member"),
            ("DEVNAME=/x\nPTUUID=1f\nPTTYPE=gpt\n", "gpt partition table"),
            ("DEVNAME=/x\n", "something unknown"),
        ] {
            assert_eq!(name(output), expected, "{output}");
        }
    }
}
