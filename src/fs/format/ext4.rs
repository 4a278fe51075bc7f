//! How mkfs.ext4 is called.

use std::ffi::OsString;
use std::path::Path;

use uuid::Uuid;

use super::LIMIT;
use crate::fs::version::Version;
use crate::tool::{Invocation, Program};

/// What is on, whatever mke2fs.conf says: `none` first takes everything away, and every version knows it.
///
/// Linux 5.14 lacks `orphan_file`. `metadata_csum_seed` is what lets a copy's UUID be changed at once: without
/// it every checksum depends on the UUID, and tune2fs demands a full check and rewrites all metadata.
const FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,\
    sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum,metadata_csum_seed";

/// The same without a journal, and without room to grow.
const SCRATCH_FEATURES: &str = "none,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,\
    huge_file,dir_nlink,extra_isize,metadata_csum";

/// Returns the call that makes an ext4.
pub(super) fn invocation(image: &Path, uuid: Option<Uuid>, version: Version) -> Invocation {
    let mut args = common(FEATURES, version);
    if let Some(uuid) = uuid {
        args.extend(["-U".into(), uuid.to_string().into()]);
    }
    args.push(image.into());
    Invocation::new(Program::MkfsExt4, args, LIMIT)
}

/// Returns the call that makes an ext4 that nobody keeps.
pub(super) fn scratch(image: &Path, inodes: Option<u32>, version: Version) -> Invocation {
    let mut args = common(SCRATCH_FEATURES, version);
    args.extend(match inodes {
        // Eleven are the file system's own; lost+found goes.
        Some(inodes) => [OsString::from("-N"), inodes.saturating_add(10).to_string().into()],
        // mke2fs would choose by the size, and for the larger ones too few for many small files.
        None => ["-i".into(), "8192".into()],
    });
    args.push(image.into());
    Invocation::new(Program::MkfsExt4, args, LIMIT)
}

fn common(features: &str, version: Version) -> Vec<OsString> {
    // Only holes are below. A version that can be told so writes no inode tables and says in the superblock
    // that they are zeros. An older one must write them (as holes, see `thin`): else the kernel would, in the
    // background after the first mount, and fill a thin pool with zeros.
    let extended = if version >= Version(1, 47) {
        "nodiscard,assume_storage_prezeroed=1"
    } else {
        "nodiscard,lazy_itable_init=0,lazy_journal_init=0"
    };
    // -m 0: nobody but the volume's own pods is in it, so that there is nobody to keep blocks back for.
    // -I 256: mke2fs.conf gives small file systems inodes whose time ends in 2038.
    let mut args: Vec<OsString> =
        ["-q", "-F", "-b", "4096", "-I", "256", "-m", "0"].map(Into::into).into();
    args.extend(["-O", features, "-E", extended].map(OsString::from));
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_told_only_what_it_knows() {
        let common = "mkfs.ext4 -q -F -b 4096 -I 256 -m 0 -O none,has_journal,ext_attr,resize_inode,dir_index,\
                      filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,\
                      metadata_csum,metadata_csum_seed -E nodiscard,";
        for (version, rest) in [
            (Version(1, 46), "lazy_itable_init=0,lazy_journal_init=0 /x"),
            (Version(1, 47), "assume_storage_prezeroed=1 /x"),
        ] {
            let called = invocation(Path::new("/x"), None, version).to_string();
            assert_eq!(called, format!("{common}{rest}"), "{version:?}");
        }
        let called = invocation(Path::new("/x"), Some(Uuid::nil()), Version(1, 47)).to_string();
        assert!(called.ends_with("-U 00000000-0000-0000-0000-000000000000 /x"), "{called}");
    }
}
