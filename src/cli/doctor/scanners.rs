//! Programs of the host that look into every block device: LVM, md and btrfs may take what a pod has written to a
//! raw volume for their own, and then hold the volume's loop device.

use std::fs;
use std::path::Path;

use super::finding::Finding;

/// What each scanner needs to be told.
struct Scanner {
    name: &'static str,
    /// If one of these is there, so is the scanner.
    programs: &'static [&'static str],
    /// Where it is told what to leave alone.
    configs: &'static [&'static str],
    /// Whether a line of a config leaves loop devices alone.
    is_filter: fn(&str) -> bool,
    /// The line to add, and where.
    line: &'static str,
}

const SCANNERS: [Scanner; 3] = [
    Scanner {
        name: "LVM",
        programs: &["/usr/sbin/lvm", "/sbin/lvm"],
        configs: &["/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf"],
        is_filter: |line| line.starts_with("global_filter") && line.contains("loop"),
        line: "add to the section devices of /etc/lvm/lvm.conf: global_filter = [ \"r|^/dev/loop|\" ]",
    },
    Scanner {
        name: "md",
        programs: &["/usr/sbin/mdadm", "/sbin/mdadm"],
        configs: &["/etc/mdadm/mdadm.conf", "/etc/mdadm.conf"],
        is_filter: |line| {
            line == "AUTO -all" || (line.starts_with("DEVICE") && !line.contains("partitions"))
        },
        line: "add to mdadm.conf: AUTO -all (or a DEVICE line that names the disks, without loop devices)",
    },
    Scanner {
        name: "btrfs",
        programs: &["/usr/lib/udev/rules.d/64-btrfs.rules", "/lib/udev/rules.d/64-btrfs.rules"],
        configs: &["/etc/udev/rules.d/63-orlop.rules"],
        is_filter: |line| line.contains("loop"),
        line: "put into /etc/udev/rules.d/63-orlop.rules: KERNEL==\"loop*\", ENV{ID_FS_TYPE}==\"btrfs\", ENV{ID_FS_TYPE}=\"\"",
    },
];

pub(super) fn check() -> Vec<Finding> {
    SCANNERS.iter().map(judge).collect()
}

fn judge(scanner: &Scanner) -> Finding {
    let about = format!("host {}", scanner.name);
    if !scanner.programs.iter().any(|program| Path::new(program).exists()) {
        return Finding::ok(about, "is not installed here (in a container: look at the host)");
    }
    let texts = scanner.configs.iter().filter_map(|config| fs::read_to_string(config).ok());
    if texts.into_iter().any(|text| has_filter(&text, scanner.is_filter)) {
        return Finding::ok(about, "leaves loop devices alone");
    }
    let found = "looks into loop devices and may take the content of a raw volume for its own";
    Finding::warning(about, found, scanner.line)
}

/// Says whether a line that is no comment is the filter.
fn has_filter(text: &str, is_filter: fn(&str) -> bool) -> bool {
    text.lines().map(str::trim).filter(|line| !line.starts_with('#')).any(is_filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_line_that_counts() {
        let [lvm, md, btrfs] = SCANNERS.map(|scanner| scanner.is_filter);
        assert!(has_filter("devices {\n\tglobal_filter = [ \"r|^/dev/loop|\" ]\n}", lvm));
        assert!(!has_filter("# global_filter = [ \"r|^/dev/loop|\" ]", lvm));
        assert!(!has_filter("global_filter = [ \"r|/dev/cdrom|\" ]", lvm));
        assert!(has_filter("AUTO -all\n", md));
        assert!(has_filter("DEVICE /dev/sda /dev/sdb", md));
        assert!(!has_filter("DEVICE partitions", md));
        assert!(has_filter("KERNEL==\"loop*\", ENV{ID_FS_TYPE}=\"\"", btrfs));
    }
}
