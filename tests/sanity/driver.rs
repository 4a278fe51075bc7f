//! The driver under test, on a pool of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::process::Process;

/// Which pool the driver has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    Memory,
    Image,
}

/// A running driver with a room for its pool, its socket and the suite's mounts.
#[derive(Debug)]
pub(crate) struct Driver {
    pub room: tempfile::TempDir,
    process: Option<Process>,
}

// === impl Driver ===

impl Driver {
    pub(crate) fn start(pool: Pool) -> Self {
        let room = tempfile::tempdir().unwrap();
        let pools = match pool {
            Pool::Memory => "[{name: default, kind: memory}]".to_owned(),
            Pool::Image => {
                own_namespace();
                let path = xfs(room.path());
                format!(
                    "[{{name: default, kind: image, path: {}, provisioning: thin, ratio: 20}}]",
                    path.display()
                )
            }
        };
        let config = format!("maxVolumesPerNode: 2\npools: {pools}\n");
        let mut process = Process::start(room.path(), &config, &[]);
        // The suite would wait for it for ever.
        assert!(process.ended().is_none(), "the driver does not start:\n{}", process.said());
        Self { room, process: Some(process) }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.room.path().join("csi.sock")
    }

    /// Stops the driver as kubelet does; it must end well.
    pub(crate) fn stop(mut self) {
        let process = self.process.take().unwrap();
        let said = process.said();
        let status = process.stop();
        assert!(status.success(), "the driver ended with {status}:\n{said}");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.process.take());
        // Detached, so that the room can be removed; the namespace ends with the thread.
        if let Err(why) = umount2(&self.room.path().join("pool"), MntFlags::MNT_DETACH) {
            eprintln!("the pool stays mounted: {why}");
        }
    }
}

/// A mount namespace for this thread and its children, from which no mount reaches the machine's.
fn own_namespace() {
    unshare(CloneFlags::CLONE_NEWNS).expect("the image pool needs root: run `make test-sanity`");
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .unwrap();
}

/// Mounts an XFS that shares extents, in a sparse file.
fn xfs(room: &Path) -> PathBuf {
    let (image, at) = (room.join("pool.xfs"), room.join("pool"));
    fs::File::create(&image).unwrap().set_len(20 << 30).unwrap();
    fs::create_dir(&at).unwrap();
    for (program, arguments) in [("mkfs.xfs", vec!["-q"]), ("mount", vec!["-o", "loop"])] {
        let mut command = Command::new(program);
        command.args(arguments).arg(&image);
        if program == "mount" {
            command.arg(&at);
        }
        assert!(command.status().unwrap().success(), "{program}");
    }
    at
}
