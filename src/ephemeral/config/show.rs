//! Lets a volume show what its sources have.

use super::attributes::{Asked, FileMode};
use super::backing;
use super::files::Files;
use super::known::{Part, Seen};
use super::path::ContentPath;
use super::payload::Payload;
use super::read::Found;
use super::writer::Writer;
use crate::ephemeral::InlineId;
use crate::error::{Error, Result};
use crate::sys::Failure;
use crate::sys::beneath::Dir;
use crate::sys::mount::DetachedMount;
use crate::volume::Bytes;

/// A volume whose files are written.
pub(super) struct New {
    /// Where pods see it.
    pub(super) read_only: DetachedMount,
    /// Where only the driver sees it, if this kernel can show a mount twice that is nowhere yet.
    pub(super) twin: Option<DetachedMount>,
    /// What each source shows.
    pub(super) parts: Vec<Part>,
    /// What it takes of memory.
    pub(super) takes: Bytes,
}

/// Makes a volume with these files. `reserve` says whether there is room for so much.
pub(super) fn make(
    id: &InlineId,
    asked: &Asked,
    group: Option<u32>,
    found: Vec<Found>,
    reserve: impl FnOnce(Bytes) -> Result<()>,
) -> Result<New> {
    let (payload, parts) = composed(asked, found, &[], |_| Ok(Files::new()))?;
    let takes = payload.takes();
    reserve(takes)?;
    let mount = backing::make(id, asked).map_err(failed)?;
    written(&mount, id, asked, group, &payload).map_err(failed)?;
    // Before Linux 6.15 only what is mounted somewhere has twins.
    let twin = DetachedMount::writable_twin(&mount).ok();
    let read_only = mount.into_read_only().map_err(failed)?;
    Ok(New { read_only, twin, parts, takes })
}

fn written(
    mount: &DetachedMount,
    id: &InlineId,
    asked: &Asked,
    group: Option<u32>,
    payload: &Payload,
) -> crate::sys::Result<()> {
    let root = mount.open_root(id.as_str())?;
    let writer = Writer::new(&root, group);
    writer.prepare(backing::mode_of_root(asked.kind), &asked.nested)?;
    writer.write(payload)?;
    Ok(())
}

/// Changes what a volume shows. What has not changed is taken from the volume itself.
pub(super) fn change(
    root: &Dir,
    asked: &Asked,
    group: Option<u32>,
    found: Vec<Found>,
    before: &[Part],
    reserve: impl FnOnce(Bytes) -> Result<()>,
) -> Result<Vec<Part>> {
    let writer = Writer::new(root, group);
    if found.iter().all(|found| matches!(found, Found::Same)) {
        let tops = before.iter().flat_map(|part| &part.layout).map(|(path, _)| path.top());
        writer.link(tops).map_err(failed)?;
        return Ok(before.to_vec());
    }
    let old = |part: &Part| {
        let file = |(path, mode): &(ContentPath, FileMode)| {
            Ok((path.clone(), writer.read(path).map_err(failed)?, *mode))
        };
        part.layout.iter().map(file).collect()
    };
    let (payload, parts) = composed(asked, found, before, old)?;
    reserve(payload.takes())?;
    writer.write(&payload).map_err(failed)?;
    Ok(parts)
}

/// Puts the files of all sources together.
fn composed(
    asked: &Asked,
    found: Vec<Found>,
    before: &[Part],
    old: impl Fn(&Part) -> Result<Files>,
) -> Result<(Payload, Vec<Part>)> {
    let (mut payload, mut parts) = (Payload::default(), Vec::new());
    for (index, found) in found.into_iter().enumerate() {
        let (seen, files) = match (found, before.get(index)) {
            (Found::Files(seen, files), _) => (seen, files),
            (Found::Same, Some(part)) => (part.seen.clone(), old(part)?),
            (Found::Same, None) => (Seen::Absent, Files::new()),
        };
        let layout = files.iter().map(|(path, _, mode)| (path.clone(), *mode)).collect();
        parts.push(Part { seen, layout });
        for (path, content, mode) in files {
            payload.add(index, path, content, mode, asked.on_conflict)?;
        }
    }
    payload.check_nested(&asked.nested)?;
    Ok((payload, parts))
}

/// Says what the kernel would not do. No name of a file is a secret.
pub(super) fn failed(failure: Failure) -> Error {
    let doing = failure.to_string();
    Error::internal(doing, failure.source)
}
