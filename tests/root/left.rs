//! What is left when everything was deleted, which must be nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orlop::sys::loopdev;
use orlop::sys::mountinfo::MountTable;

use crate::rig::loops_below;

/// Longer than the work in the background takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where a pool keeps things, each in a directory or file of its own.
const PLACES: [&str; 6] = ["volumes", "snapshots", "groups", "new", "trash", "scratch"];

/// Waits until the driver that runs in the room has cleaned up, and asserts that of its pools, whose directories
/// are named, there is no file of any volume, no mount and no loop device.
pub(crate) fn assert_nothing_left(room: &Path, pools: &[&str]) {
    let began = Instant::now();
    let left = || pools.iter().flat_map(|pool| files(&room.join(pool))).collect::<Vec<_>>();
    while !left().is_empty() && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(left(), Vec::<PathBuf>::new());
    let (pool, table) = (room.join("pool"), MountTable::read().unwrap());
    let is_ours = |at: &Path| at.starts_with(room) && at != pool;
    let mounts: Vec<_> = table.iter().filter(|mount| is_ours(&mount.at)).collect();
    assert!(mounts.is_empty(), "left mounted: {mounts:?}");
    assert_eq!(loops_below(&pool), Vec::<String>::new());
}

/// Takes away what is still mounted and attached in a room when this is dropped, so that a test that failed, or
/// that never meant to undo what it did, does not keep the disk of its pool for ever.
#[derive(Debug)]
pub(crate) struct Swept(pub(crate) PathBuf);

impl Drop for Swept {
    fn drop(&mut self) {
        let pool = self.0.join("pool");
        let table = MountTable::read().unwrap();
        let ours = |at: &&PathBuf| at.starts_with(&self.0) && **at != pool;
        let mut mounts: Vec<_> = table.iter().map(|mount| &mount.at).filter(ours).collect();
        mounts.reverse();
        for at in mounts {
            // A failed test is on its way already; this must not turn it into an abort.
            if let Err(error) = nix::mount::umount2(at, nix::mount::MntFlags::MNT_DETACH) {
                eprintln!("{} stays mounted: {error}", at.display());
            }
        }
        for image in loops_below(&pool) {
            let image = image.trim_end();
            if let Err(failure) = loopdev::detach_image(Path::new(image)) {
                eprintln!("{image} stays attached: {failure}: {}", failure.source);
            }
        }
    }
}

fn files(pool: &Path) -> Vec<PathBuf> {
    let all = PLACES.iter().filter_map(|place| fs::read_dir(pool.join(place)).ok());
    all.flatten().flatten().map(|entry| entry.path()).collect()
}
