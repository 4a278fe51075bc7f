//! Whether a call that makes sure of something had to change anything.

/// A value that is as asked, and whether it was so before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured<T> {
    /// Changed now.
    Made(T),
    /// Found so.
    Found(T),
}

// === impl Ensured ===

impl<T> Ensured<T> {
    /// Returns the value.
    pub fn into_inner(self) -> T {
        match self {
            Self::Made(value) | Self::Found(value) => value,
        }
    }

    /// Returns whether anything was changed.
    pub fn is_made(&self) -> bool {
        matches!(self, Self::Made(_))
    }
}
