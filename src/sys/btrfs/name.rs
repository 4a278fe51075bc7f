//! Names as btrfs's calls want them: in a field of characters that ends in zeros.

use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::OsStrExt;

use rustix::io::Errno;

/// Returns the field. There is room for every name that a file can have.
pub(super) fn field<const LENGTH: usize>(name: &OsStr) -> Result<[c_char; LENGTH], Errno> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.contains(&b'/') || bytes.contains(&0) || bytes.len() >= LENGTH {
        return Err(Errno::INVAL);
    }
    let mut field = [0; LENGTH];
    for (to, &from) in field.iter_mut().zip(bytes) {
        // A C character is signed on some processors and unsigned on others.
        *to = c_char::from_ne_bytes([from]);
    }
    Ok(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_in_a_zero_and_leads_nowhere() {
        assert_eq!(
            field::<4>(OsStr::new("abc")).unwrap().map(c_char::to_ne_bytes).as_flattened(),
            b"abc\0"
        );
        for wrong in ["", "abcd", "a/b", "a\0b"] {
            assert!(field::<4>(OsStr::new(wrong)).is_err(), "{wrong:?}");
        }
    }
}
