//! The options of a mount, as the table has them: separated by commas, each with its escapes.

use std::fmt;

use super::escape;

/// The options of a mount or of a file system, taken apart only when somebody asks: a table has hundreds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(Box<[u8]>);

// === impl Options ===

impl Options {
    pub(in crate::sys) fn of_column(column: &[u8]) -> Self {
        Self(column.into())
    }

    /// Returns them with those of another column behind.
    pub(in crate::sys) fn and(self, more: &[u8]) -> Self {
        if more.is_empty() { self } else { Self([&self.0, more].join(&b',').into()) }
    }

    /// Returns them one by one, in the kernel's order.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        self.pieces().map(escape::text)
    }

    /// Says whether the option `name` is among them.
    pub fn has(&self, name: &str) -> bool {
        self.pieces().any(|piece| *escape::decode(piece) == *name.as_bytes())
    }

    /// Splits first, so that a comma inside an option, which is written as an escape, is none here.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b',').filter(|piece| !piece.is_empty())
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}
