//! Copies that share their bytes with the original, copies that keep its holes, and the holes themselves.

mod clone;
mod copy;
mod either;
mod holes;

pub use clone::{PIECE, clone_range, pieces, supports_reflink};
pub use copy::copy_extents;
pub use either::share_or_copy;
pub use holes::{allocate, punch_hole, punch_zeros};
