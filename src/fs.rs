//! What the driver does to a file system as a whole: make it, name it, check it, grow it, recognize it.
//!
//! The three file systems differ in each of these; here is where they stop differing. Whatever can be decided
//! by reading a superblock is, whatever a system call does is one, and a program is started only for what has
//! neither. Each of those gets the volume's lock, so that it is held for as long as the program lives.

pub mod check;
mod error;
pub mod format;
pub mod grow;
pub mod identity;
mod least;
pub mod probe;
mod superblock;
mod version;

pub use check::{check, has_error};
pub use error::Error;
pub use format::{Format, format};
pub use identity::{has_uuid, read_uuid, set_uuid};
pub use least::least_size;
pub use superblock::held_by;
