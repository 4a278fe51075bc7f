//! Namespaces for network, mounts and processes, which end with the test process.
//!
//! Process 1 of the new process namespace reads a pipe that only the test process writes to. When that one ends,
//! however it does, so does process 1, and the kernel ends all the others; with the last one goes the memory file
//! system that holds their files.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use orlop::sys::capability::{self, Capability};
use orlop::sys::mount::{self, MountOptions};
use rustix::mount::{MountPropagationFlags, mount_change};

use super::mounts::Mounts;

/// A program to start, and what to give back: the program.
type Launch = Box<dyn FnOnce() + Send>;

/// The namespaces.
#[derive(Debug)]
pub(crate) struct Namespaces {
    launches: mpsc::Sender<Launch>,
    /// Process 1.
    keeper: Mutex<Child>,
    network: File,
    mounts: Mounts,
}

// === impl Namespaces ===

impl Namespaces {
    /// Makes them: with a loopback device that has these addresses, and nothing in `files` but what is put there.
    pub(crate) fn new(addresses: &'static [&'static str], files: &'static Path) -> Self {
        let allowed = capability::has(Capability::SysAdmin).unwrap();
        assert!(allowed, "this test needs CAP_SYS_ADMIN; run `make test-cluster`");
        let (launches, asked) = mpsc::channel::<Launch>();
        let (made, making) = mpsc::channel();
        // What this thread starts is in the namespaces; other threads of this process are not.
        thread::spawn(move || {
            made.send(make(addresses, files)).unwrap();
            for launch in asked {
                launch();
            }
        });
        let (keeper, network, mounts) = making.recv().unwrap();
        Self { launches, keeper: Mutex::new(keeper), network, mounts }
    }

    /// Starts a program where these mounts are.
    pub(crate) fn launch(&self, mounts: &Mounts, mut command: Command) -> io::Result<Child> {
        let (answer, answered) = mpsc::channel();
        let mounts = mounts.clone();
        let launch = move || {
            mounts.enter();
            answer.send(command.spawn()).unwrap();
        };
        self.launches.send(Box::new(launch)).unwrap();
        answered.recv().unwrap()
    }

    /// Brings the calling thread, and those that it starts, into the network and the mounts. What it mounts is
    /// seen by nobody else.
    pub(crate) fn enter(&self) {
        self.mounts.enter();
        setns(&self.network, CloneFlags::CLONE_NEWNET).unwrap();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
    }

    /// Does what the end of the test process does.
    pub(crate) fn end(&self) {
        drop(self.keeper.lock().unwrap_or_else(PoisonError::into_inner).stdin.take());
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.end();
        drop(self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner).wait());
    }
}

fn make(addresses: &[&str], files: &Path) -> (Child, File, Mounts) {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID).unwrap();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    mount::mount("tmpfs", Path::new("tmpfs"), files, &MountOptions::default()).unwrap();
    let keeper = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    ip("link set lo up");
    for address in addresses {
        ip(&format!("address add {address} dev lo"));
    }
    (keeper, File::open("/proc/thread-self/ns/net").unwrap(), Mounts::here())
}

fn ip(args: &str) {
    let status = Command::new("ip").args(args.split(' ')).status().unwrap();
    assert!(status.success(), "ip {args}: {status}");
}
