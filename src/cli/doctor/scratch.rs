//! Whether quotas of btrfs can keep the limits of emptyDirs, where the admin wants that.

use std::path::Path;

use super::finding::Finding;
use crate::config::{Allow, Config};
use crate::sys::Failure;
use crate::sys::beneath::Dir;
use crate::sys::btrfs::{self, Quotas};

const ABOUT: &str = "emptyDirs";

pub(super) fn check(config: &Config) -> Option<Finding> {
    let role = &config.roles.scratch;
    if role.endpoint.is_none() || !role.allows(Allow::Squota) {
        return None;
    }
    let path = role.path_in(&config.state_dir);
    Some(match look(&path) {
        Ok(found) => finding(&path, found),
        Err(failure) => Finding::warning(
            ABOUT,
            format!("{failure}: {}", failure.source),
            "run this as root, on the node",
        ),
    })
}

/// Returns the quotas of the file system in which the directory is or will be, if that is a btrfs.
fn look(path: &Path) -> Result<Option<Quotas>, Failure> {
    let dir = match (Dir::open(path), path.parent()) {
        (Err(why), Some(parent)) if why.is_not_found() => Dir::open(parent)?,
        (opened, _) => opened?,
    };
    if !btrfs::is_btrfs(&dir)? {
        return Ok(None);
    }
    btrfs::quotas(&dir).map(Some)
}

fn finding(path: &Path, found: Option<Quotas>) -> Finding {
    let path = path.display();
    match found {
        Some(Quotas::Simple) => {
            Finding::ok(ABOUT, format!("simple quotas of btrfs keep the limits in {path}"))
        }
        Some(Quotas::Off) => Finding::ok(
            ABOUT,
            format!(
                "the driver turns simple quotas on for {path} when it starts, if the kernel has them (6.7)"
            ),
        ),
        Some(Quotas::Full) => Finding::warning(
            ABOUT,
            format!(
                "the btrfs of {path} has quotas that are not simple ones, so images keep the limits"
            ),
            "turn them off with `btrfs quota disable` and restart the driver, or take squota out of roles.scratch.allow",
        ),
        None => Finding::warning(
            ABOUT,
            format!("{path} is not on btrfs, so images keep the limits"),
            "put roles.scratch.path on a btrfs, or take squota out of roles.scratch.allow",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    #[test]
    fn what_cannot_be_had_is_a_warning() {
        for (found, expected) in [
            (Some(Quotas::Simple), Verdict::Ok),
            (Some(Quotas::Off), Verdict::Ok),
            (Some(Quotas::Full), Verdict::Warning),
            (None, Verdict::Warning),
        ] {
            assert_eq!(finding(Path::new("/x"), found).verdict, expected, "{found:?}");
        }
    }
}
