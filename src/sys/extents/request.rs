//! The question to the kernel, laid out as in `linux/fiemap.h`, which linux-raw-sys does not have.

#![expect(unsafe_code, reason = "no crate that we use wraps FS_IOC_FIEMAP")]

use std::fs::File;
use std::os::fd::AsRawFd;

use linux_raw_sys::general::fsxattr;

use super::Extent;

/// How many extents are asked for at once: few calls, and 56 KiB.
const BATCH: usize = ROOM as usize;
const ROOM: u32 = 1024;

/// `struct fiemap`.
#[repr(C)]
#[derive(Debug)]
struct Header {
    start: u64,
    length: u64,
    flags: u32,
    mapped_extents: u32,
    extent_count: u32,
    reserved: u32,
}

/// `struct fiemap_extent`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct RawExtent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved64: [u64; 2],
    flags: u32,
    reserved: [u32; 3],
}

/// A header with room for the answer.
#[repr(C)]
#[derive(Debug)]
struct Request {
    header: Header,
    extents: [RawExtent; BATCH],
}

mod raw {
    nix::ioctl_readwrite!(fs_ioc_fiemap, b'f', 11, super::Header);
    nix::ioctl_read!(fs_ioc_fsgetxattr, b'X', 31, linux_raw_sys::general::fsxattr);
}

/// Returns the first extents from `start` on.
pub(super) fn batch(file: &File, start: u64, flags: u32) -> nix::Result<Vec<Extent>> {
    let mut request = Request::boxed(start, flags);
    let pointer = (&raw mut *request).cast::<Header>();
    // SAFETY: the descriptor is open for the whole call. The pointer is to the header and was made from the
    // whole request, so that the kernel may write the header and behind it the 1,024 extents that the header
    // says there is room for.
    unsafe { raw::fs_ioc_fiemap(file.as_raw_fd(), pointer) }?;
    let mapped = usize::try_from(request.header.mapped_extents).unwrap_or(BATCH);
    Ok(request.extents.iter().take(mapped).map(RawExtent::plain).collect())
}

/// Returns how many extents there are.
pub(super) fn count(file: &File) -> nix::Result<u32> {
    // Without room for any the kernel only counts them.
    let mut header = Header::new(0, 0, 0);
    // SAFETY: the descriptor is open for the whole call, and the kernel writes the header alone, because it
    // says that there is no room behind it.
    unsafe { raw::fs_ioc_fiemap(file.as_raw_fd(), &raw mut header) }?;
    Ok(header.mapped_extents)
}

/// Returns the number of extents in the file's inode.
pub(super) fn recorded(file: &File) -> nix::Result<u32> {
    let mut attributes = fsxattr {
        fsx_xflags: 0,
        fsx_extsize: 0,
        fsx_nextents: 0,
        fsx_projid: 0,
        fsx_cowextsize: 0,
        fsx_pad: [0; 8],
    };
    // SAFETY: the descriptor is open for the whole call, and the kernel writes one such structure.
    unsafe { raw::fs_ioc_fsgetxattr(file.as_raw_fd(), &raw mut attributes) }?;
    Ok(attributes.fsx_nextents)
}

// === impl Header ===

impl Header {
    /// Creates the question for everything from `start` to the end of the file.
    fn new(start: u64, flags: u32, extent_count: u32) -> Self {
        let length = u64::MAX - start;
        Self { start, length, flags, mapped_extents: 0, extent_count, reserved: 0 }
    }
}

// === impl Request ===

impl Request {
    #[expect(clippy::large_stack_arrays, reason = "it is on the stack for this one line")]
    fn boxed(start: u64, flags: u32) -> Box<Self> {
        let header = Header::new(start, flags, ROOM);
        Box::new(Self { header, extents: [RawExtent::NOTHING; BATCH] })
    }
}

// === impl RawExtent ===

impl RawExtent {
    const NOTHING: Self =
        Self { logical: 0, physical: 0, length: 0, reserved64: [0; 2], flags: 0, reserved: [0; 3] };

    fn plain(&self) -> Extent {
        let Self { logical, physical, length, flags, .. } = *self;
        Extent { logical, physical, length, flags }
    }
}
