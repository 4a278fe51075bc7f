//! `/dev`, `/sys` and the loop devices.

use std::fs;
use std::path::Path;

use super::finding::Finding;
use crate::sys::mountinfo::{Mount, MountTable};

const CONTROL: &str = "/dev/loop-control";
const BLOCK_DEVICES: &str = "/sys/block";

/// How many the kernel makes by itself; more are made when they are asked for.
const MADE_AT_BOOT: &str = "/sys/module/loop/parameters/max_loop";

pub(super) fn check() -> Vec<Finding> {
    let table = match MountTable::read() {
        Ok(table) => table,
        Err(failure) => {
            return vec![Finding::error(
                "mounts",
                failure.to_string(),
                "run this where /proc can be read",
            )];
        }
    };
    vec![
        dev(table.at(Path::new("/dev"))),
        sys(table.at(Path::new("/sys"))),
        loop_control(),
        loops(),
    ]
}

fn dev(mount: Option<&Mount>) -> Finding {
    let advice = "mount the host's /dev there: new loop devices appear nowhere else";
    match mount {
        Some(mount) if mount.fs_type == "devtmpfs" => Finding::ok("/dev", "is the host's devtmpfs"),
        Some(mount) => {
            Finding::error("/dev", format!("is a {} and no devtmpfs", mount.fs_type), advice)
        }
        None => Finding::error("/dev", "is a plain directory and no devtmpfs", advice),
    }
}

fn sys(mount: Option<&Mount>) -> Finding {
    let advice = "mount a sysfs there: what a loop device stands on is read in it";
    match mount {
        Some(mount) if mount.fs_type != "sysfs" => {
            Finding::error("/sys", format!("is a {} and no sysfs", mount.fs_type), advice)
        }
        // A container's is often read-only, and nothing is written in it.
        Some(_) => Finding::ok("/sys", "is the kernel's"),
        None => Finding::error("/sys", "is not mounted", advice),
    }
}

fn loop_control() -> Finding {
    match fs::metadata(CONTROL) {
        Ok(_) => Finding::ok("loop devices", format!("{CONTROL} is there")),
        Err(error) => Finding::error(
            "loop devices",
            format!("{CONTROL}: {error}"),
            "load the module loop (modprobe loop)",
        ),
    }
}

fn loops() -> Finding {
    let (mut all, mut used) = (0_u32, 0_u32);
    for entry in fs::read_dir(BLOCK_DEVICES).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("loop") {
            all += 1;
            used += u32::from(entry.path().join("loop/backing_file").exists());
        }
    }
    // Zero means no number of their own.
    let at_boot = fs::read_to_string(MADE_AT_BOOT).unwrap_or_default();
    let at_boot = at_boot.trim();
    Finding::ok(
        "loop devices",
        format!("{used} of {all} in use; more are made as they are needed (max_loop {at_boot})"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    fn mount(line: &str) -> Option<Mount> {
        MountTable::parse(line).unwrap().iter().next().cloned()
    }

    #[test]
    fn a_containers_own_dev_is_an_error_and_a_read_only_sys_is_none() {
        for (line, expected) in [
            ("30 1 0:6 / /dev rw,nosuid shared:2 - devtmpfs devtmpfs rw", Verdict::Ok),
            ("30 1 0:40 / /dev rw,nosuid - tmpfs tmpfs rw", Verdict::Error),
        ] {
            assert_eq!(dev(mount(line).as_ref()).verdict, expected, "{line}");
        }
        assert_eq!(dev(None).verdict, Verdict::Error);
        for (line, expected) in [
            ("31 1 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw", Verdict::Ok),
            ("31 1 0:21 / /sys ro,nosuid - sysfs sysfs rw", Verdict::Ok),
            ("31 1 0:21 / /sys rw,nosuid - tmpfs tmpfs rw", Verdict::Error),
        ] {
            assert_eq!(sys(mount(line).as_ref()).verdict, expected, "{line}");
        }
    }
}
