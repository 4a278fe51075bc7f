//! How mkfs.btrfs is called.

use std::ffi::OsString;
use std::path::Path;

use uuid::Uuid;

use super::LIMIT;
use crate::fs::version::Version;
use crate::tool::{Invocation, Program};

/// What is on. Newer versions add the block group tree, which needs Linux 6.1.
const FEATURES: &str = "extref,skinny-metadata,no-holes";

/// Returns the call that makes a btrfs.
///
/// Profiles and checksum are the defaults of today, written out because they have changed before, and because
/// the least size of a volume hangs on them.
pub(super) fn invocation(image: &Path, uuid: Option<Uuid>, version: Version) -> Invocation {
    let mut features = FEATURES.to_owned();
    // Versions before 6.4 do not know the name, or not as one to take away.
    if version >= Version(6, 4) {
        features.push_str(",^block-group-tree");
    }
    // -K: there is nothing to discard in a file of holes. -f: see `super::format`.
    let mut args: Vec<OsString> =
        ["-q", "-f", "-K", "-s", "4096", "-n", "16384"].map(Into::into).into();
    args.extend(["-m", "dup", "-d", "single", "--checksum", "crc32c"].map(OsString::from));
    args.extend(["-O".into(), features.into()]);
    if let Some(uuid) = uuid {
        args.extend(["-U".into(), uuid.to_string().into()]);
    }
    args.push(image.into());
    Invocation::new(Program::MkfsBtrfs, args, LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_told_only_what_it_knows() {
        let common = "mkfs.btrfs -q -f -K -s 4096 -n 16384 -m dup -d single --checksum crc32c \
                      -O extref,skinny-metadata,no-holes";
        for (version, rest) in [
            (Version(5, 16), " /x"),
            (Version(6, 2), " /x"),
            (Version(6, 19), ",^block-group-tree /x"),
        ] {
            let called = invocation(Path::new("/x"), None, version).to_string();
            assert_eq!(called, format!("{common}{rest}"), "{version:?}");
        }
        let called = invocation(Path::new("/x"), Some(Uuid::nil()), Version(6, 2)).to_string();
        assert!(called.ends_with("-U 00000000-0000-0000-0000-000000000000 /x"), "{called}");
    }
}
