//! Devices that are meant by a path with `*` in its last part, such as `/dev/disk/by-id/nvme-Example_*`: the disks of
//! machines that are alike have the same names there, but for their serial numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{DeviceNumber, of_node};
use crate::sys::failure::{Doing, Result};

/// Says whether the path is such a pattern.
pub fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().contains(&b'*')
}

/// Returns the block devices that the pattern means. Of several names of one device it is the first.
pub fn matching(pattern: &Path) -> Result<BTreeMap<DeviceNumber, PathBuf>> {
    let directory = pattern.parent().unwrap_or(Path::new("/"));
    let wanted = pattern.file_name().unwrap_or_default().to_string_lossy();
    let doing = || format!("look into {}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).doing(doing)? {
        let name = entry.doing(doing)?.file_name();
        if is_like(&name.to_string_lossy(), &wanted) {
            names.push(name);
        }
    }
    names.sort_unstable();
    let mut found = BTreeMap::new();
    for path in names.into_iter().map(|name| directory.join(name)) {
        match of_node(&path) {
            Ok(Some(number)) => drop(found.entry(number).or_insert(path)),
            // A link can lead nowhere, as those of a disk that has just been pulled.
            Ok(None) => {}
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// Says whether the name is like the pattern, in which `*` is any text, also none.
fn is_like(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((begin, rest)) => name.strip_prefix(begin).is_some_and(|left| {
            let mut ends = left.char_indices().map(|(index, _)| index).chain([left.len()]);
            ends.any(|end| left.get(end..).is_some_and(|left| is_like(left, rest)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (name, pattern, expected) in [
            ("nvme-x_1", "nvme-x_*", true),
            ("nvme-x_", "nvme-x_*", true),
            ("nvme-y_1", "nvme-x_*", false),
            ("ata-x_1-part1", "ata-*-part1", true),
            ("ata-x_1-part10", "ata-*-part1", false),
            ("a-b-c", "*-*", true),
            ("abc", "*-*", false),
            ("é1", "*1", true),
            ("sda", "sda", true),
            ("sdaa", "sda", false),
        ] {
            assert_eq!(is_like(name, pattern), expected, "{name} {pattern}");
        }
        assert!(is_pattern(Path::new("/dev/disk/by-id/x_*")));
        assert!(!is_pattern(Path::new("/dev/sda")));
    }

    #[test]
    fn what_is_no_device_is_not_meant() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x_file"), "").unwrap();
        std::os::unix::fs::symlink("/nonexistent", dir.path().join("x_link")).unwrap();
        assert!(matching(&dir.path().join("x_*")).unwrap().is_empty());
        assert!(matching(Path::new("/nonexistent/x_*")).unwrap_err().is_not_found());
    }
}
