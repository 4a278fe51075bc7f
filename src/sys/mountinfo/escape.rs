//! The escapes of `mountinfo`: a byte that would break the columns is written as a backslash and three octal
//! digits. Everything else, UTF-8 or not, stands as it is.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Returns the bytes that `escaped` stands for. A backslash without three octal digits behind it is itself.
pub(super) fn decode(escaped: &[u8]) -> Cow<'_, [u8]> {
    // Nearly every column: a table has thousands, and is read several times in a call.
    if !escaped.contains(&b'\\') {
        return Cow::Borrowed(escaped);
    }
    let mut plain = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((&first, after)) = rest.split_first() {
        if let (b'\\', Some((byte, after))) = (first, octal(after)) {
            plain.push(byte);
            rest = after;
        } else {
            plain.push(first);
            rest = after;
        }
    }
    Cow::Owned(plain)
}

/// Returns the path that `escaped` stands for, byte for byte.
pub(super) fn path(escaped: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(decode(escaped).into_owned()))
}

/// Returns the text that `escaped` stands for; bytes that are not UTF-8 become the replacement character.
pub(super) fn text(escaped: &[u8]) -> String {
    String::from_utf8(decode(escaped).into_owned())
        .unwrap_or_else(|bytes| String::from_utf8_lossy(bytes.as_bytes()).into_owned())
}

/// Splits three octal digits off, if they are there and make one byte.
fn octal(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(3)?;
    let digits = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` would take a sign.
    let octal = digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let byte = u8::from_str_radix(digits, 8).ok().filter(|_| octal)?;
    Some((byte, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_all_else_is_left() {
        for (escaped, plain) in [
            (&br"/plain"[..], &b"/plain"[..]),
            (br"/a\040b", b"/a b"),
            (br"\011\012\134\043", b"\t\n\\#"),
            (br"\134040", br"\040"),
            (br"\04", br"\04"),
            (br"\8ab", br"\8ab"),
            (br"\+12", br"\+12"),
            (br"\777", br"\777"),
            (br"\", br"\"),
            (b"\xff\xfe", b"\xff\xfe"),
            (br"\377", b"\xff"),
        ] {
            assert_eq!(&*decode(escaped), plain, "{}", String::from_utf8_lossy(escaped));
        }
    }
}
