//! File systems that stop answering, served by the test itself through FUSE.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};

const TTL: Duration = Duration::from_hours(1);
const DISK: &str = "disk";

/// Lets requests through, or keeps them waiting.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    shut: Arc<(Mutex<bool>, Condvar)>,
}

/// A disk that can hang: a file whose every block is read and written through the gate.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) gate: Gate,
    at: PathBuf,
    session: Option<BackgroundSession>,
}

/// A mount that hangs at every question about it, as soon as the gate is shut.
#[derive(Debug)]
pub(crate) struct Mute {
    pub(crate) gate: Gate,
    session: Option<BackgroundSession>,
}

/// One file, and a gate before it.
#[derive(Debug)]
struct Server {
    gate: Gate,
    /// Whether the gate is before questions, too.
    questions: bool,
    disk: Option<File>,
}

// === impl Gate ===

impl Gate {
    pub(crate) fn shut(&self) {
        *self.shut.0.lock().unwrap() = true;
    }

    pub(crate) fn open(&self) {
        *self.shut.0.lock().unwrap() = false;
        self.shut.1.notify_all();
    }

    fn pass(&self) {
        let shut = self.shut.0.lock().unwrap();
        drop(self.shut.1.wait_while(shut, |shut| *shut).unwrap());
    }
}

// === impl Disk ===

impl Disk {
    /// Serves the file below the directory `at`.
    pub(crate) fn of(file: &Path, at: &Path) -> Self {
        let gate = Gate::default();
        let disk = Some(File::options().read(true).write(true).open(file).unwrap());
        let server = Server { gate: gate.clone(), questions: false, disk };
        let session = Some(serve(server, at, "disk"));
        Self { gate, at: at.to_owned(), session }
    }

    /// Returns the path of the disk's file.
    pub(crate) fn path(&self) -> PathBuf {
        self.at.join(DISK)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.gate.open();
        end(self.session.take());
    }
}

// === impl Mute ===

impl Mute {
    /// Mounts at the directory, and says that `source` is what is mounted.
    pub(crate) fn at(at: &Path, source: &Path) -> Self {
        let gate = Gate::default();
        let server = Server { gate: gate.clone(), questions: true, disk: None };
        let session = Some(serve(server, at, source.to_str().unwrap()));
        Self { gate, session }
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.gate.open();
        end(self.session.take());
    }
}

fn serve(server: Server, at: &Path, source: &str) -> BackgroundSession {
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName(source.to_owned())];
    fuser::spawn_mount(server, at, &config).unwrap()
}

fn end(session: Option<BackgroundSession>) {
    if let Some(Err(error)) = session.map(BackgroundSession::umount_and_join) {
        eprintln!("a FUSE mount stays: {error}");
    }
}

// === impl Server ===

impl Server {
    fn attributes(&self, ino: INodeNo) -> FileAttr {
        let size = self.disk.as_ref().map_or(0, |disk| disk.metadata().unwrap().len());
        let is_root = ino == INodeNo::ROOT;
        FileAttr {
            ino,
            size: if is_root { 0 } else { size },
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_root { FileType::Directory } else { FileType::RegularFile },
            perm: 0o700,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        }
    }

    fn disk(&self) -> &File {
        self.gate.pass();
        self.disk.as_ref().unwrap()
    }
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if self.questions {
            self.gate.pass();
        }
        if self.disk.is_some() && name == DISK {
            reply.entry(&TTL, &self.attributes(INodeNo(2)), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        if self.questions {
            self.gate.pass();
            return reply.attr(&Duration::ZERO, &self.attributes(ino));
        }
        reply.attr(&TTL, &self.attributes(ino));
    }

    /// No page of it is kept by the kernel: each one is asked for here.
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut bytes = vec![0; size as usize];
        let read = self.disk().read_at(&mut bytes, offset).unwrap();
        reply.data(&bytes[..read]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.disk().write_all_at(data, offset).unwrap();
        reply.written(u32::try_from(data.len()).unwrap());
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.gate.pass();
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}
