//! Lets things cease in a pool that has not one block left.
//!
//! Usually something ceases by a rename into `trash/`; but one more name there can need one more block, and what
//! the ballast gave may be taken by a writer before it is used. Then the thing is marked where it is, which
//! needs no space, and is removed there: a name or a block less never needs one. The mark is what a restart finds,
//! so that nothing with it is ever taken for real again, however much of it is left.

use super::cleaner::free_blocks;
use super::error::Result;
use super::layout::Kept;
use super::store::{Held, patiently};
use crate::fault;
use crate::sys::beneath::Dir;

/// Makes the thing cease, and removes it.
///
/// It has ceased as soon as it is marked. What cannot be removed then is removed at the next start.
pub(super) fn remove<Id: Kept>(parent: &Dir, id: &Id, held: &Held) -> Result<()> {
    held.dir.mark()?;
    fault::point("delete: marked");
    clear_or_tell(parent, id, &held.dir);
    Ok(())
}

/// Removes what has ceased before a restart. What somebody holds stays until the next one.
pub(super) fn finish<Id: Kept>(parent: &Dir, ceased: &[Id]) {
    for id in ceased {
        match patiently(|| parent.lock_of(id.to_string())).and_then(|lock| {
            let dir = parent.open_dir(id.to_string())?;
            Ok(lock.map(|lock| (lock, dir)))
        }) {
            Ok(Some((_lock, dir))) => clear_or_tell(parent, id, &dir),
            Ok(None) => tracing::warn!(%id, "is deleted, and a program still holds it"),
            Err(failure) => tracing::warn!(%id, cause = %failure.source, "{failure}"),
        }
    }
}

fn clear_or_tell<Id: Kept>(parent: &Dir, id: &Id, dir: &Dir) {
    if let Err(failure) = clear(parent, id, dir) {
        tracing::warn!(cause = %failure.source, "{failure}: it stays until the next start");
    }
}

fn clear<Id: Kept>(parent: &Dir, id: &Id, dir: &Dir) -> crate::sys::Result<()> {
    free_blocks(dir);
    fault::point("delete: emptied");
    parent.remove_tree(id.to_string())?;
    parent.sync()
}
