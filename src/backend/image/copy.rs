//! Copies an image: takes the copy at one instant, and makes it a file system of its own afterwards.
//!
//! Two stages, because the first holds writers up and must be short. [`cut()`] shares the source's bytes with a
//! new file while the file system is frozen. What comes out is what the disk would hold after a power cut
//! right behind a sync: the log is dirty, the UUID is the source's, the size may be too small. [`finish()`]
//! puts that right, once, before the copy is mounted for the first time.
//!
//! Nothing here knows pools or records: images are paths, and where the source is mounted is the caller's
//! knowledge. Every step can be cut off by a kill and be done again.

mod cut;
mod error;
mod finish;
mod frozen;
mod hidden;
mod marker;
mod sharing;
mod together;

pub use cut::{Wish, Writers};
pub use error::Error;
pub use finish::{Pending, finish, prove};
pub use frozen::lift;
pub use hidden::thaw_hidden;
pub use marker::{NAME as MARKER, thaw_marked};
pub use together::{cut, cut_together};
