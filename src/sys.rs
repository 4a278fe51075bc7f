//! What the driver asks of the kernel, as functions over plain values.
//!
//! This is the only module where `unsafe` is allowed. It knows nothing of CSI: a volume is a path, a file or a
//! device here. Every function blocks until the kernel has answered, which for a mount or a freeze can take
//! minutes; async code calls them inside [`blocking()`]. Nothing is remembered between two calls.

pub mod beneath;
pub mod block;
pub mod blocking;
pub mod btrfs;
pub mod capability;
pub mod cgroup;
pub mod code;
pub mod device;
pub mod every;
pub mod extents;
pub mod failure;
pub mod freeze;
pub mod grow;
pub mod inspect;
pub mod lease;
pub mod loopdev;
pub mod memory;
pub mod mount;
pub mod mountinfo;
pub mod namespace;
pub mod patience;
pub mod priority;
pub mod probe;
pub mod questions;
pub mod reflink;
pub mod release;
pub mod seal;
pub mod statmount;
pub mod statvfs;

pub use blocking::{blocking, carried};
pub use device::DeviceNumber;
pub use every::every;
pub use failure::{Doing, Failure, Result};
