//! Which version of a program is installed: older ones refuse options that newer ones need.

use tokio::sync::OnceCell;

use super::Error;
use crate::tool::{Invocation, Program, ToolError};

/// The first two numbers of a version, which is as much as features go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

/// What a program says of itself, asked once: a container's programs do not change while it runs, and a
/// second program for each volume would double the time it takes to make one.
#[derive(Debug)]
pub(super) struct Known {
    program: Program,
    version: OnceCell<Version>,
}

// === impl Known ===

impl Known {
    /// Creates the knowledge of a program that was not asked yet.
    pub(super) const fn new(program: Program) -> Self {
        Self { program, version: OnceCell::const_new() }
    }

    /// Returns the program's version.
    pub(super) async fn get(&self) -> Result<Version, Error> {
        self.version.get_or_try_init(|| ask(self.program)).await.copied()
    }
}

async fn ask(program: Program) -> Result<Version, Error> {
    let output = Invocation::new(program, ["-V"], super::format::PROBE_LIMIT).run().await?;
    // mke2fs writes it to its standard error.
    let text = format!("{}\n{}", output.stdout, output.stderr);
    let unreadable = || ToolError::Unreadable { program, what: format!("its version in {text:?}") };
    Ok(parse(&text).ok_or_else(unreadable)?)
}

/// Finds the version in what a program answers to `-V`.
fn parse(text: &str) -> Option<Version> {
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').split(['.', '-', '~', '+']);
        Some(Version(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_says_it_in_its_own_way() {
        for (text, expected) in [
            ("mkfs.xfs version 6.1.0\n", Some(Version(6, 1))),
            ("mkfs.xfs version 5.19.0-rc0", Some(Version(5, 19))),
            (
                "mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library version 1.47.0\n",
                Some(Version(1, 47)),
            ),
            ("mkfs.btrfs, part of btrfs-progs v6.2\n+EXPERIMENTAL -INJECT", Some(Version(6, 2))),
            ("mkfs.btrfs, part of btrfs-progs v6.19.1", Some(Version(6, 19))),
            ("mkfs.xfs version six", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(Version(6, 2) < Version(6, 10));
        assert!(Version(5, 19) < Version(6, 0));
    }
}
