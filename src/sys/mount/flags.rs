//! Which part of the kernel each option of `mount -o` is for.

use rustix::mount::MountAttrFlags;

use super::MountOptions;

/// Options of a mount: they belong to the place, and a bind mount can have its own.
const ATTRIBUTES: [(&str, MountAttrFlags); 9] = [
    ("ro", MountAttrFlags::MOUNT_ATTR_RDONLY),
    ("nosuid", MountAttrFlags::MOUNT_ATTR_NOSUID),
    ("nodev", MountAttrFlags::MOUNT_ATTR_NODEV),
    ("noexec", MountAttrFlags::MOUNT_ATTR_NOEXEC),
    ("noatime", MountAttrFlags::MOUNT_ATTR_NOATIME),
    ("nodiratime", MountAttrFlags::MOUNT_ATTR_NODIRATIME),
    ("relatime", MountAttrFlags::MOUNT_ATTR_RELATIME),
    ("strictatime", MountAttrFlags::MOUNT_ATTR_STRICTATIME),
    ("nosymfollow", MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW),
];

/// Options that every file system knows, once for all its mounts.
const SUPERBLOCK: [&str; 3] = ["sync", "dirsync", "lazytime"];

/// Options that say what is so anyway, or that speak to mount(8) and fstab and not to the kernel.
const IGNORED: [&str; 19] = [
    "rw",
    "defaults",
    "suid",
    "dev",
    "exec",
    "async",
    "atime",
    "diratime",
    "norelatime",
    "nostrictatime",
    "symfollow",
    "nolazytime",
    "auto",
    "noauto",
    "nouser",
    "nofail",
    "_netdev",
    "silent",
    "loud",
];

/// Options, sorted by whom they are for.
#[derive(Debug)]
pub(super) struct Sorted<'a> {
    /// For the mount.
    pub(super) attributes: MountAttrFlags,
    /// For the file system: flags first, then what only it understands.
    pub(super) filesystem: Vec<&'a str>,
}

/// Returns those of `options` that belong to a mount and not to its file system, by the names that `mountinfo`
/// shows (of which `strictatime` is shown by the absence of `relatime` and `noatime`).
pub fn vfs_flags(options: &[String]) -> Vec<&'static str> {
    let asked = |name: &&str| options.iter().any(|option| option == name);
    ATTRIBUTES.iter().map(|(name, _)| *name).filter(asked).collect()
}

/// Sorts the flags of `options` by whom they are for.
pub(super) fn sort(options: &MountOptions) -> Sorted<'_> {
    let mut sorted = Sorted { attributes: MountAttrFlags::empty(), filesystem: Vec::new() };
    if options.is_read_only() {
        sorted.attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
        sorted.filesystem.push("ro");
    }
    let flags = || options.flags.iter().map(String::as_str);
    sorted.filesystem.extend(flags().filter(|flag| SUPERBLOCK.contains(flag)));
    for flag in flags().filter(|flag| !SUPERBLOCK.contains(flag) && !is_ignored(flag)) {
        match ATTRIBUTES.iter().find(|(name, _)| *name == flag) {
            Some((_, attribute)) => sorted.attributes |= *attribute,
            None => sorted.filesystem.push(flag),
        }
    }
    sorted
}

fn is_ignored(flag: &str) -> bool {
    flag.is_empty() || IGNORED.contains(&flag) || flag.starts_with("x-") || flag.starts_with("X-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(flags: &str) -> MountOptions {
        MountOptions { read_only: false, flags: flags.split(',').map(str::to_owned).collect() }
    }

    #[test]
    fn each_option_goes_to_its_own() {
        let nothing = MountAttrFlags::empty();
        let noatime = MountAttrFlags::MOUNT_ATTR_NOATIME;
        for (flags, attributes, filesystem) in [
            ("", nothing, vec![]),
            ("rw,defaults,suid,_netdev,x-systemd.automount", nothing, vec![]),
            ("noatime", noatime, vec![]),
            ("noatime,nodev", noatime | MountAttrFlags::MOUNT_ATTR_NODEV, vec![]),
            ("relatime", nothing, vec![]),
            ("ro", MountAttrFlags::MOUNT_ATTR_RDONLY, vec!["ro"]),
            ("nouuid,logbsize=64k", nothing, vec!["nouuid", "logbsize=64k"]),
            ("discard,sync,noatime", noatime, vec!["sync", "discard"]),
        ] {
            let options = options(flags);
            let sorted = sort(&options);
            assert_eq!((sorted.attributes, sorted.filesystem), (attributes, filesystem), "{flags}");
        }
    }

    #[test]
    fn only_what_a_mount_shows_is_comparable() {
        let flags = options("nouuid,noexec,defaults,sync,ro,strictatime").flags;
        assert_eq!(vfs_flags(&flags), ["ro", "noexec", "strictatime"]);
    }

    #[test]
    fn what_was_asked_and_is_not_so_is_named() {
        let line = "31 22 7:0 / /x rw,nosuid,relatime - xfs /dev/loop0 rw";
        let table = crate::sys::mountinfo::MountTable::parse(line).unwrap();
        let mount = table.iter().next().unwrap();
        for (flags, unmet) in [
            ("nosuid,relatime", vec![]),
            ("nouuid", vec![]),
            ("ro,nosuid", vec!["ro"]),
            ("noexec", vec!["noexec"]),
            ("strictatime", vec!["strictatime"]),
        ] {
            assert_eq!(options(flags).unmet_by(mount), unmet, "{flags}");
        }
    }
}
