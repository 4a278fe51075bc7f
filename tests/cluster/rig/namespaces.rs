//! Namespaces for network, mounts and processes, which end with the test process.
//!
//! Process 1 of the new process namespace reads a pipe that only the test process writes to. When that one ends,
//! however it does, so does process 1, and the kernel ends all the others; with the last one goes the memory file
//! system that holds their files.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use orlop::sys::capability::{self, Capability};
use orlop::sys::mount::{self, MountOptions};
use rustix::mount::{MountPropagationFlags, mount_change};

/// A program to start, and who wants to know how that went.
type Launch = (Command, mpsc::Sender<io::Result<Child>>);

/// The namespaces.
#[derive(Debug)]
pub(crate) struct Namespaces {
    launches: mpsc::Sender<Launch>,
    /// Process 1.
    keeper: Mutex<Child>,
    network: File,
    mounts: File,
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
            for (mut command, answer) in asked {
                answer.send(command.spawn()).unwrap();
            }
        });
        let (keeper, network, mounts) = making.recv().unwrap();
        Self { launches, keeper: Mutex::new(keeper), network, mounts }
    }

    /// Starts a program.
    pub(crate) fn launch(&self, command: Command) -> io::Result<Child> {
        let (answer, answered) = mpsc::channel();
        self.launches.send((command, answer)).unwrap();
        answered.recv().unwrap()
    }

    /// Brings the calling thread, and those that it starts, into the network and the mounts. What it mounts is
    /// seen by nobody else.
    pub(crate) fn enter(&self) {
        // A thread that shares its working directory with others cannot.
        unshare(CloneFlags::CLONE_FS).unwrap();
        setns(&self.mounts, CloneFlags::CLONE_NEWNS).unwrap();
        setns(&self.network, CloneFlags::CLONE_NEWNET).unwrap();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap();
        drop(keeper.kill());
        drop(keeper.wait());
    }
}

fn make(addresses: &[&str], files: &Path) -> (Child, File, File) {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID).unwrap();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    mount::mount("tmpfs", Path::new("tmpfs"), files, &MountOptions::default()).unwrap();
    let keeper = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    ip("link set lo up");
    for address in addresses {
        ip(&format!("address add {address} dev lo"));
    }
    let namespace = |name| File::open(format!("/proc/thread-self/ns/{name}")).unwrap();
    (keeper, namespace("net"), namespace("mnt"))
}

fn ip(args: &str) {
    let status = Command::new("ip").args(args.split(' ')).status().unwrap();
    assert!(status.success(), "ip {args}: {status}");
}
