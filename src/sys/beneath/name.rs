//! What may stand as a name in a directory.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::io::Errno;

/// Returns `name` if it is the name of one entry, and EINVAL if it is a path or leads elsewhere. The calls that
/// make, rename and remove know no `RESOLVE_BENEATH`: with one plain name they need none.
pub(super) fn checked(name: &OsStr) -> Result<&OsStr, Errno> {
    match name.as_bytes() {
        b"" | b"." | b".." => Err(Errno::INVAL),
        bytes if bytes.contains(&b'/') || bytes.contains(&0) => Err(Errno::INVAL),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_plain_name_is_a_name() {
        for (name, good) in [
            ("v-00ff", true),
            ("data.img", true),
            ("...", true),
            (".hidden", true),
            ("", false),
            (".", false),
            ("..", false),
            ("a/b", false),
            ("/etc", false),
            ("a/", false),
            ("a\0b", false),
        ] {
            assert_eq!(checked(OsStr::new(name)).is_ok(), good, "{name:?}");
        }
    }
}
