//! Removes what belongs to no pod any more: what a killed driver, or a kubelet that gave up, has left.
//!
//! Which volumes there are, kubelet's own directories tell: it makes one for each volume before it asks for it, and
//! removes it last.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use super::InlineId;
use super::frame::Frame;
use super::publish::remove;
use super::target::{PODS, VOLUMES};
use crate::error::{Error, Result};
use crate::sys::beneath::Dir;
use crate::sys::{Failure, carried};

/// How often it is looked.
const PAUSE: Duration = Duration::from_mins(1);

/// Looks at once, and then again and again.
pub(super) async fn run(frame: Arc<Frame>) {
    loop {
        let frame = Arc::clone(&frame);
        if let Err(why) = carried(async move { collect(&frame).await }).await {
            let why = why.sentence();
            tracing::warn!(why, "it cannot be found out which inline volumes are left");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes the volumes that kubelet does not know, and returns how many there were.
pub(super) async fn collect(frame: &Frame) -> Result<usize> {
    let ours: BTreeSet<InlineId> =
        frame.records.ids()?.into_iter().chain(frame.settings.kind.all().await?).collect();
    if ours.is_empty() {
        return Ok(0);
    }
    let Some(known) = known_to_kubelet(frame)? else { return Ok(0) };
    let mut count = 0;
    for id in ours.difference(&known) {
        // Whoever works on it will see to it.
        let Ok(_guard) = frame.settings.locks.try_lock(id) else { continue };
        // It may have been published since the look.
        if known_to_kubelet(frame)?.is_none_or(|known| known.contains(id)) {
            continue;
        }
        let kept = frame.records.get(id)?.map(|record| record.kept);
        match remove(frame, id, kept.as_ref()).await {
            Ok(()) => {
                count += 1;
                tracing::info!(volume = %id, "removed an inline volume that belongs to no pod");
            }
            Err(why) => {
                let why = why.sentence();
                tracing::warn!(volume = %id, why, "an inline volume of no pod cannot be removed");
            }
        }
    }
    Ok(count)
}

/// Returns the ids of all CSI volumes that kubelet has; nothing where there is no directory of pods, as before kubelet
/// has started, or where its disk is not mounted yet.
fn known_to_kubelet(frame: &Frame) -> Result<Option<BTreeSet<InlineId>>> {
    let kubelet = frame.kubelet()?;
    let Some(pods) = if_there(kubelet.dir.open_dir(PODS))? else { return Ok(None) };
    let mut known = BTreeSet::new();
    for pod in names(&pods)? {
        let [first, second] = VOLUMES;
        let Some(pod_dir) = if_there(pods.open_dir(&pod))? else { continue };
        let Some(volumes) = if_there(pod_dir.open_dir(first))? else { continue };
        let Some(volumes) = if_there(volumes.open_dir(second))? else { continue };
        for volume in names(&volumes)? {
            if let (Some(pod), Some(volume)) = (pod.to_str(), volume.to_str()) {
                known.insert(InlineId::of(pod, volume));
            }
        }
    }
    Ok(Some(known))
}

/// Returns nothing for what is not there, or is no directory.
fn if_there(opened: Result<Dir, Failure>) -> Result<Option<Dir>> {
    use rustix::io::Errno;
    match opened {
        Ok(dir) => Ok(Some(dir)),
        Err(why) if matches!(why.errno(), Some(Errno::NOENT | Errno::NOTDIR)) => Ok(None),
        Err(why) => Err(not_read(why)),
    }
}

fn names(dir: &Dir) -> Result<Vec<OsString>> {
    dir.names().map_err(not_read)
}

fn not_read(why: Failure) -> Error {
    Error::internal("look which volumes kubelet has", why)
}
