//! One line of `mountinfo`, described in proc(5):
//!
//! ```text
//! 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//! ```

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

use super::{DeviceNumber, Mount, Options, escape};

/// The columns of a line, as the kernel wrote them: enough to tell whether the line is of interest.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    id: &'a [u8],
    parent: &'a [u8],
    device: &'a [u8],
    root: &'a [u8],
    at: &'a [u8],
    options: &'a [u8],
    /// Any number of optional fields, between spaces.
    fields: &'a [u8],
    fs_type: &'a [u8],
    source: &'a [u8],
    super_options: &'a [u8],
}

// === impl Row ===

impl<'a> Row<'a> {
    /// Splits a line, or says which part of it is missing.
    pub(super) fn of(line: &'a [u8]) -> Result<Self, &'static str> {
        let (mount, system) = halves(line);
        let mut columns = mount.splitn(7, |&byte| byte == b' ');
        let mut column = |name| columns.next().ok_or(name);
        let (id, parent, device) = (column("id")?, column("parent")?, column("device")?);
        let (root, at) = (column("root")?, column("mount point")?);
        let (options, fields) = (column("options")?, columns.next().unwrap_or_default());
        let mut columns = system.ok_or("separator")?.split(|&byte| byte == b' ');
        let mut column = |name| columns.next().ok_or(name);
        let (fs_type, source) = (column("file system")?, column("source")?);
        let super_options = column("file system options")?;
        Ok(Self { id, parent, device, root, at, options, fields, fs_type, source, super_options })
    }

    /// Says whether it is mounted at exactly this path.
    pub fn is_at(&self, path: &Path) -> bool {
        *escape::decode(self.at) == *path.as_os_str().as_bytes()
    }

    /// Says whether it is a mount of the device, as far as that can be told from its number.
    pub fn is_of(&self, device: DeviceNumber) -> bool {
        number(self.device) == Some(device)
    }

    /// Says whether the file system has this name.
    pub fn is_a(&self, fs_type: &str) -> bool {
        self.fs_type == fs_type.as_bytes()
    }

    /// Returns the last component of what is mounted inside its file system: of a bound device node, its name.
    pub fn name(&self) -> &'a [u8] {
        self.root.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }

    /// Parses all of it, or says which part is wrong.
    pub(super) fn to_mount(self) -> Result<Mount, &'static str> {
        let mut mount = Mount {
            id: number(self.id).ok_or("id")?,
            parent: number(self.parent).ok_or("parent")?,
            device: number(self.device).ok_or("device")?,
            root: escape::path(self.root),
            at: escape::path(self.at),
            options: Options::of_column(self.options),
            shared: None,
            master: None,
            propagate_from: None,
            unbindable: false,
            fs_type: escape::text(self.fs_type),
            source: escape::text(self.source),
            super_options: Options::of_column(self.super_options),
        };
        for field in self.fields.split(|&byte| byte == b' ') {
            propagation(&mut mount, field);
        }
        Ok(mount)
    }
}

/// Splits a line at the dash that ends the optional fields. No column before it can be a dash.
fn halves(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    const DASH: &[u8] = b" - ";
    match line.windows(DASH.len()).position(|three| three == DASH) {
        Some(dash) => {
            let (mount, rest) = line.split_at(dash);
            (mount, rest.get(DASH.len()..))
        }
        None => (line, None),
    }
}

/// Notes one of the optional fields. One that we do not know is skipped, as proc(5) asks.
fn propagation(mount: &mut Mount, field: &[u8]) {
    if let Some(group) = field.strip_prefix(b"shared:") {
        mount.shared = number(group);
    } else if let Some(group) = field.strip_prefix(b"master:") {
        mount.master = number(group);
    } else if let Some(group) = field.strip_prefix(b"propagate_from:") {
        mount.propagate_from = number(group);
    } else if field == b"unbindable" {
        mount.unbindable = true;
    }
}

fn number<T: FromStr>(column: &[u8]) -> Option<T> {
    std::str::from_utf8(column).ok()?.parse().ok()
}
