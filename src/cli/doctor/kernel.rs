//! The kernel: its version, and the calls that a sandbox may forbid although the kernel has them.

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::FsOpenFlags;

use super::finding::Finding;
use crate::sys::release::{self, Release};
use crate::volume::FsType;

/// The oldest kernel with everything that the driver calls, as RHEL 9 has it: `fsopen` (5.2), `openat2` (5.6),
/// `LOOP_CONFIGURE` (5.8) and `mount_setattr` (5.12).
const FLOOR: Release = Release(5, 14);

const ABOUT: &str = "kernel";

pub(super) fn check() -> Vec<Finding> {
    let mut findings = vec![version(&release::name()), openat2()];
    findings.extend(FsType::ALL.map(file_system));
    findings
}

fn version(release: &str) -> Finding {
    match Release::parse(release) {
        Some(version) if version >= FLOOR => Finding::ok(
            ABOUT,
            format!(
                "Linux {release}: at least {FLOOR}, so it has LOOP_CONFIGURE and mount_setattr"
            ),
        ),
        Some(_) => Finding::error(
            ABOUT,
            format!("Linux {release} is too old"),
            format!("use {FLOOR} or newer"),
        ),
        None => Finding::warning(
            ABOUT,
            format!("Linux {release:?} has a version of an unknown form"),
            format!("make sure that it is {FLOOR} or newer"),
        ),
    }
}

fn openat2() -> Finding {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat2(CWD, "/", flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(_) => Finding::ok(ABOUT, "openat2 works"),
        Err(errno) => refused("openat2", errno),
    }
}

/// Asks for a mount of the file system that is never made: the kernel loads its module, if it has one.
fn file_system(fs: FsType) -> Finding {
    match rustix::mount::fsopen(fs.as_str(), FsOpenFlags::FSOPEN_CLOEXEC) {
        Ok(_) => Finding::ok(ABOUT, format!("fsopen works, and the kernel has {fs}")),
        Err(Errno::NODEV) if fs == FsType::Xfs => Finding::error(
            ABOUT,
            "it has no xfs, the file system of most volumes and pools",
            "load or install the module xfs",
        ),
        Err(Errno::NODEV) => Finding::warning(
            ABOUT,
            format!("it has no {fs}"),
            format!("install the module {fs}, or do without such volumes"),
        ),
        Err(Errno::PERM) => Finding::warning(
            ABOUT,
            format!("whether it has {fs} cannot be asked"),
            "run this with CAP_SYS_ADMIN",
        ),
        Err(errno) => refused("fsopen", errno),
    }
}

fn refused(call: &str, errno: Errno) -> Finding {
    Finding::error(
        ABOUT,
        format!("{call} does not work: {errno}"),
        "let the container's seccomp profile allow it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (release, expected) in [
            ("6.18.44", Verdict::Ok),
            ("5.14.0-503.el9.x86_64", Verdict::Ok),
            ("5.13.19", Verdict::Error),
            ("4.18.0-553.el8", Verdict::Error),
            ("10.0-rc1", Verdict::Ok),
            ("mystery", Verdict::Warning),
        ] {
            assert_eq!(version(release).verdict, expected, "{release}");
        }
    }
}
