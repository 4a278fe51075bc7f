//! Which Linux this is.

use std::fmt;

/// The first two numbers of a release such as `6.1.0-13-amd64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u32, pub u32);

/// Returns the release of the kernel that runs, as it names itself.
pub fn name() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

// === impl Release ===

impl Release {
    /// Returns the release that has this name, unless it is of an unknown form.
    pub fn parse(name: &str) -> Option<Self> {
        let mut numbers = name.split(|c: char| !c.is_ascii_digit());
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_and_compared() {
        let cases = [
            ("6.1.0-13-amd64", Some(Release(6, 1))),
            ("5.14.0-427.el9.x86_64", Some(Release(5, 14))),
            ("6.18", Some(Release(6, 18))),
            ("6", None),
            ("", None),
            ("next", None),
        ];
        for (name, release) in cases {
            assert_eq!(Release::parse(name), release, "{name}");
        }
        assert!(Release(5, 9) < Release(5, 14) && Release(5, 14) < Release(6, 1));
        assert!(Release::parse(&name()).is_some(), "{}", name());
    }
}
