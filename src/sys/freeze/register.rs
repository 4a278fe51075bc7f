//! What this process is freezing or has frozen, so that nothing stays frozen when the process ends in order.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sys::failure::{Doing, Failure, Result};

/// How long a freeze that is under way is waited for at the end. The kernel cannot be asked to give it up.
const PATIENCE: Duration = Duration::from_secs(30);

static REGISTER: Mutex<Register> = Mutex::new(Register::new());
static LEFT: Condvar = Condvar::new();

#[derive(Debug)]
struct Register {
    closed: bool,
    next: u64,
    held: BTreeMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    root: File,
    mountpoint: PathBuf,
    /// Not while the kernel is still freezing it.
    frozen: bool,
}

/// The place of one file system in the register, given back on drop.
#[derive(Debug)]
pub(super) struct Ticket(u64);

/// Notes that the file system is about to be frozen. Refused when the process is ending.
pub(super) fn enter(root: &File, mountpoint: &Path) -> Result<Ticket> {
    let root = root.try_clone().doing(|| format!("open {}", mountpoint.display()))?;
    let mut register = lock();
    if register.closed {
        return Err(ending(mountpoint));
    }
    let number = register.next;
    register.next += 1;
    let held = Held { root, mountpoint: mountpoint.to_owned(), frozen: false };
    register.held.insert(number, held);
    Ok(Ticket(number))
}

/// Thaws everything that this process has frozen, and lets it freeze nothing any more. For its end.
pub fn thaw_all() {
    let deadline = Instant::now() + PATIENCE;
    let mut register = lock();
    register.closed = true;
    for held in register.held.values().filter(|held| held.frozen) {
        match super::thaw_root(&held.root, &held.mountpoint) {
            Ok(_) => {
                tracing::warn!(at = %held.mountpoint.display(), "thawed: its copy was not done");
            }
            Err(failure) => tracing::error!(cause = %failure.source, "{failure}"),
        }
    }
    // Whoever is still freezing finds the register closed, and thaws.
    while register.held.values().any(|held| !held.frozen) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            tracing::error!("a file system is still being frozen: the next start thaws it");
            return;
        }
        register = LEFT.wait_timeout(register, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn ending(mountpoint: &Path) -> Failure {
    Failure::refused(format!("freeze {}", mountpoint.display()), "the driver is stopping")
}

/// The table is whole between any two of its operations, so a panic elsewhere does not spoil it.
fn lock() -> MutexGuard<'static, Register> {
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Register ===

impl Register {
    const fn new() -> Self {
        Self { closed: false, next: 0, held: BTreeMap::new() }
    }
}

// === impl Ticket ===

impl Ticket {
    /// Notes that the file system is frozen now. An error when the process is ending: then it must be thawed.
    pub(super) fn is_frozen(&self, mountpoint: &Path) -> Result<()> {
        let mut register = lock();
        if register.closed {
            return Err(ending(mountpoint));
        }
        if let Some(held) = register.held.get_mut(&self.0) {
            held.frozen = true;
        }
        Ok(())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock().held.remove(&self.0);
        LEFT.notify_all();
    }
}
