//! What somebody would try who owns a pod and a namespace, and everything that a pod can write to: docs/ephemeral.md
//! lists it all.

mod config;
mod hostpath;
mod scratch;
mod state;
mod target;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::fs::{CWD, RenameFlags};

use super::rig::{Node, mounts_at};

/// A directory of somebody else, with all that is in it.
#[derive(Debug)]
pub(super) struct Victim {
    at: PathBuf,
    before: Vec<Entry>,
}

/// Its path; mode, owner, group, links to it; when anything of it was changed last; its content.
type Entry = (PathBuf, [u32; 4], (i64, i64), Vec<u8>);

/// Lets two names change places as often as it can, until it is told to end or one of them is gone.
#[derive(Debug)]
pub(super) struct Swapping {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

// === impl Victim ===

impl Victim {
    /// Makes one whose names are those that an attack hopes for.
    pub(super) fn of(node: &Node) -> Self {
        let at = node.path("host/victim");
        fs::create_dir_all(at.join("d/sub")).unwrap();
        for file in ["precious", "d/precious", "d/sub/precious"] {
            fs::write(at.join(file), "precious").unwrap();
        }
        Self::at(at)
    }

    /// Takes a directory as it is now.
    pub(super) fn at(at: PathBuf) -> Self {
        let before = all_in(&at);
        Self { at, before }
    }

    pub(super) fn path(&self) -> &Path {
        &self.at
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    /// Asserts that nothing in it was read into, changed, made, removed or hidden.
    #[track_caller]
    pub(super) fn is_untouched(&self, by: &str) {
        assert_eq!(all_in(&self.at), self.before, "{by}");
        for (path, ..) in &self.before {
            assert_eq!(mounts_at(path), 0, "{by}: {}", path.display());
        }
    }
}

fn all_in(dir: &Path) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let content = if found.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let links = u32::try_from(found.nlink()).unwrap();
        let rights = [found.mode(), found.uid(), found.gid(), links];
        all.push((path.clone(), rights, (found.ctime(), found.ctime_nsec()), content));
        if found.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    all.sort();
    all
}

// === impl Swapping ===

impl Swapping {
    pub(super) fn begin(a: PathBuf, b: PathBuf) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let swap = move || rustix::fs::renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE);
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !told.load(Ordering::Relaxed) && swap().is_ok() {
                count += 1;
            }
            // Each is in its own place again.
            if count % 2 == 1 {
                swap().ok();
            }
            count
        });
        Self { is_over, thread }
    }

    /// Ends, and returns how often they were swapped.
    pub(super) fn end(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
