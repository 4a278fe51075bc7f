//! Control groups, as far as they limit how fast a device may be read and written.
//!
//! Two versions of them are in use. In version 2 a limit holds for a group with all groups below it together
//! (`io.max`). In version 1 a limit holds for the processes of one group alone (`blkio.throttle.*`), so that each
//! group below needs one of its own. A limit belongs to a device's number and outlives the device: whoever sets
//! one removes it, or the next device of that number has it.

mod group;
mod hierarchy;
mod io_max;
mod lifted;
mod throttle;

pub use group::Group;
pub use hierarchy::{Hierarchy, Version};
pub use io_max::IoMax;
pub use lifted::{Lifted, lift};
