//! How mkfs.xfs is called.

use std::ffi::OsString;
use std::path::Path;

use uuid::Uuid;

use super::LIMIT;
use crate::fs::version::Version;
use crate::tool::{Invocation, Program};

/// Returns the call that makes an XFS.
///
/// `nrext64` needs Linux 5.19, exchange and parent pointers 6.10, metadir 6.13; the program turns some of them
/// on by itself, and refuses what it does not know yet. `rmapbt` any kernel has: it is left off because its
/// use, repair while mounted, is not worth its writes here.
pub(super) fn invocation(image: &Path, uuid: Option<Uuid>, version: Version) -> Invocation {
    let knows = |since: Version, option: &'static str| (version >= since).then_some(option);
    let metadata = ["crc=1,finobt=1,reflink=1,rmapbt=0,bigtime=1,inobtcount=1"];
    let metadata = metadata.into_iter().chain(knows(Version(6, 13), "metadir=0"));
    let uuid = uuid.map(|uuid| format!("uuid={uuid}"));
    let metadata: Vec<_> = metadata.map(str::to_owned).chain(uuid).collect();

    let inode = ["sparse=1"].into_iter();
    let inode = inode.chain(knows(Version(5, 19), "nrext64=0"));
    let inode: Vec<_> = inode.chain(knows(Version(6, 10), "exchange=0")).collect();

    let naming = knows(Version(6, 10), "parent=0").map(|parent| ["-n", parent]);

    // -K: there is nothing to discard in a file of holes. -f: see `super::format`.
    let mut args: Vec<OsString> =
        ["-q", "-f", "-K", "-b", "size=4096", "-s", "size=4096"].map(Into::into).into();
    args.extend(["-m".into(), metadata.join(",").into()]);
    args.extend(["-i".into(), inode.join(",").into()]);
    args.extend(naming.into_iter().flatten().map(OsString::from));
    args.push(image.into());
    Invocation::new(Program::MkfsXfs, args, LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_told_only_what_it_knows() {
        let common = "mkfs.xfs -q -f -K -b size=4096 -s size=4096 \
                      -m crc=1,finobt=1,reflink=1,rmapbt=0,bigtime=1,inobtcount=1";
        for (version, rest) in [
            (Version(5, 14), " -i sparse=1 /x"),
            (Version(6, 1), " -i sparse=1,nrext64=0 /x"),
            (Version(6, 10), " -i sparse=1,nrext64=0,exchange=0 -n parent=0 /x"),
            (Version(6, 18), ",metadir=0 -i sparse=1,nrext64=0,exchange=0 -n parent=0 /x"),
        ] {
            let called = invocation(Path::new("/x"), None, version).to_string();
            assert_eq!(called, format!("{common}{rest}"), "{version:?}");
        }
    }

    #[test]
    fn a_uuid_is_passed_on() {
        let called =
            invocation(Path::new("/x"), Some(Uuid::from_u128(1)), Version(6, 1)).to_string();
        assert!(
            called.contains("inobtcount=1,uuid=00000000-0000-0000-0000-000000000001 -i"),
            "{called}"
        );
    }
}
