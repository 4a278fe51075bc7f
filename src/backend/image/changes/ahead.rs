//! The extents of a file, asked for in a thread of their own.
//!
//! What the kernel takes for an extent is mostly the question whether anybody shares it. Two images are asked for
//! at the same time, because a comparison of large ones consists of little else.

use std::fs::File;
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, scope};

use crate::sys::Result;
use crate::sys::extents::{Extent, Extents};
use crate::sys::failure::Doing;

/// How many extents are handed over at once, and how many times that may wait to be taken.
const BATCH: usize = 1024;
const WAITING: usize = 2;

/// Works with the extents of `file` from `from` on while another thread asks for those that follow. It ends with the
/// work, wherever that stops.
pub(super) fn ahead<T>(
    file: &File,
    from: u64,
    work: impl FnOnce(&mut dyn Iterator<Item = Result<Extent>>) -> Result<T>,
) -> Result<T> {
    let (sender, receiver) = sync_channel::<Vec<_>>(WAITING);
    scope(|scope| {
        let ask = move || {
            let mut extents = Extents::synced(file).from(from);
            loop {
                let batch: Vec<_> = extents.by_ref().take(BATCH).collect();
                if batch.is_empty() || sender.send(batch).is_err() {
                    return;
                }
            }
        };
        Builder::new()
            .name("extents".to_owned())
            .spawn_scoped(scope, ask)
            .doing(|| "start a thread that lists extents")?;
        work(&mut receiver.into_iter().flatten())
    })
}
