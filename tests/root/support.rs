//! What the privileged tests share: a namespace, and guards for what would outlive them.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sched::CloneFlags;
use orlop::sys::capability::{self, Capability};
use orlop::sys::loopdev::{self, AttachOptions, AttachedLoop};
use orlop::sys::mount::{self, MountOptions};
use orlop::sys::seal;
use orlop::tool::{Invocation, Output, Program};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use tempfile::TempDir;

pub(crate) const MIB: u64 = 1 << 20;

/// How volumes are attached.
pub(crate) const WRITABLE: AttachOptions =
    AttachOptions { read_only: false, block_size: 4096, direct_io: true, autoclear: false };

/// Gives the calling thread, and those that it starts, a mount namespace of its own. First line of each test.
pub(crate) fn in_mount_namespace() {
    const COMMAND: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='sudo -E' \
                           cargo test --features root,faults --test root";
    let allowed = capability::has(Capability::SysAdmin).unwrap();
    assert!(allowed, "this test needs CAP_SYS_ADMIN; run it with\n  {COMMAND}");
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).unwrap();
}

/// A sparse file, detached from its loop device when this is dropped.
#[derive(Debug)]
pub(crate) struct Image {
    path: PathBuf,
}

/// A mount, taken away when this is dropped.
#[derive(Debug)]
pub(crate) struct Mounted {
    at: PathBuf,
}

/// A pool as a user without a spare disk has it: an XFS that can reflink, in a sparse file.
#[derive(Debug)]
pub(crate) struct TempPool {
    // In the order in which they must go.
    _mounted: Mounted,
    _image: Image,
    dir: TempDir,
}

// === impl Image ===

impl Image {
    /// Creates the file `name` in `dir`.
    pub(crate) fn create(dir: &Path, name: &str, size: u64) -> Self {
        let path = dir.join(name);
        File::create_new(&path).unwrap().set_len(size).unwrap();
        Self { path }
    }

    /// Takes the file that is there.
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Creates the file and makes the file system `fs` in it.
    pub(crate) fn formatted(dir: &Path, name: &str, size: u64, fs: &str) -> Self {
        let image = Self::create(dir, name, size);
        let (program, options): (_, &[&str]) = match fs {
            "xfs" => (Program::MkfsXfs, &["-q", "-s", "size=4096"]),
            "ext4" => (Program::MkfsExt4, &["-q", "-b", "4096"]),
            "btrfs" => (Program::MkfsBtrfs, &["-q"]),
            other => panic!("we make no {other}"),
        };
        run(program, options.iter().map(Path::new).chain([image.path()]));
        image
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn attach(&self) -> AttachedLoop {
        loopdev::attach(self.path(), WRITABLE).unwrap()
    }

    /// Attaches the file and mounts it in `at`.
    pub(crate) fn mount(&self, fs: &str, at: &Path) -> Mounted {
        let device = self.attach();
        Mounted::filesystem(fs, &device.device.path, at)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A failed assertion is already on its way; this one must not turn it into an abort.
        match loopdev::detach_image(self.path()) {
            Ok(true) => {}
            other => eprintln!("{} is still attached: {other:?}", self.path.display()),
        }
    }
}

// === impl Mounted ===

impl Mounted {
    pub(crate) fn filesystem(fs: &str, source: &Path, at: &Path) -> Self {
        Self::with(fs, source, at, &MountOptions::default())
    }

    pub(crate) fn with(fs: &str, source: &Path, at: &Path, options: &MountOptions) -> Self {
        mount::mount(fs, source, at, options).unwrap();
        Self { at: at.to_owned() }
    }

    /// Mounts an empty tmpfs.
    pub(crate) fn tmpfs(at: &Path) -> Self {
        Self::filesystem("tmpfs", Path::new("tmpfs"), at)
    }

    pub(crate) fn at(&self) -> &Path {
        &self.at
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A program that another test starts has a copy of each open file until it runs.
        let is_done = || match mount::unmount_all(&self.at) {
            Err(failure) if failure.errno() == Some(Errno::BUSY) => false,
            Err(failure) => {
                eprintln!("{failure}: {}", failure.source);
                true
            }
            Ok(_) => true,
        };
        let done = (0..100).any(|_| {
            is_done() || {
                std::thread::sleep(Duration::from_millis(10));
                false
            }
        });
        if !done {
            eprintln!("{} is still mounted", self.at.display());
        }
    }
}

// === impl TempPool ===

impl TempPool {
    pub(crate) fn new() -> Self {
        Self::of_size(512 * MIB)
    }

    pub(crate) fn of_size(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image = Image::formatted(dir.path(), "pool.img", size, "xfs");
        let at = new_dir(dir.path(), "pool");
        let mounted = image.mount("xfs", &at);
        Self { _mounted: mounted, _image: image, dir }
    }

    /// Returns the root of the pool's file system.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("pool")
    }

    /// Returns a directory beside the pool, on another file system.
    pub(crate) fn outside(&self) -> &Path {
        self.dir.path()
    }
}

/// Makes a directory.
pub(crate) fn new_dir(parent: &Path, name: &str) -> PathBuf {
    let path = parent.join(name);
    std::fs::create_dir(&path).unwrap();
    path
}

/// Runs one of the driver's programs to its end.
pub(crate) fn run<'a>(program: Program, args: impl IntoIterator<Item = &'a Path>) -> Output {
    let invocation = Invocation::new(program, args, Duration::from_mins(1));
    block_on(invocation.run()).unwrap()
}

/// Runs async code on this thread: what it starts inherits the namespace.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

/// Lets a snapshot's image be changed, as `chattr -i` does, for harm that the driver would never do.
pub(crate) fn unseal(image: &Path) {
    assert!(seal::lift(&File::open(image).unwrap()).unwrap(), "{} was open", image.display());
}

/// Takes a mount away as `umount --lazy` does: the program that another test is just starting may have copies of all
/// descriptors, and with them of the mount.
pub(crate) fn take_away(mount: &Path) {
    rustix::mount::unmount(mount, UnmountFlags::DETACH).unwrap();
}

/// Returns something for a program to hold where nobody else wants the volume.
pub(crate) fn no_lock() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

/// Returns the mount that one sees at the path.
pub(crate) fn mount_at(path: &Path) -> orlop::sys::mountinfo::Mount {
    let table = orlop::sys::mountinfo::MountTable::read().unwrap();
    table.at(path).unwrap().clone()
}
