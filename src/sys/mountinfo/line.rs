//! One line of `mountinfo`, described in proc(5):
//!
//! ```text
//! 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//! ```

use std::str::FromStr;

use super::{Mount, escape};

/// Parses a line, or says which part of it is missing or wrong.
pub(super) fn parse(line: &[u8]) -> Result<Mount, &'static str> {
    let mut columns = line.split(|&byte| byte == b' ');
    let mut column = |name| columns.next().ok_or(name);
    let mut mount = Mount {
        id: number(column("id")?).ok_or("id")?,
        parent: number(column("parent")?).ok_or("parent")?,
        device: number(column("device")?).ok_or("device")?,
        root: escape::path(column("root")?),
        at: escape::path(column("mount point")?),
        options: options(column("options")?),
        shared: None,
        master: None,
        propagate_from: None,
        unbindable: false,
        fs_type: String::new(),
        source: String::new(),
        super_options: Vec::new(),
    };
    // Any number of optional fields, ended by a dash.
    loop {
        match column("separator")? {
            b"-" => break,
            field => propagation(&mut mount, field),
        }
    }
    mount.fs_type = escape::text(column("file system")?);
    mount.source = escape::text(column("source")?);
    mount.super_options = options(column("file system options")?);
    Ok(mount)
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

/// Splits first and undoes the escapes afterwards: a comma inside an option is written as an escape.
fn options(column: &[u8]) -> Vec<String> {
    column.split(|&byte| byte == b',').filter(|one| !one.is_empty()).map(escape::text).collect()
}
