//! What the C library keeps of the memory that nobody uses.
//!
//! Left to itself it gives threads an arena each, up to eight a processor, and none gives back what it once needed;
//! and after one large request it keeps twice as much for the next. Here many threads wait and few reckon, so two
//! arenas are enough, and what is large is asked of the kernel and given back to it each time.

#![cfg_attr(target_env = "gnu", expect(unsafe_code, reason = "no crate that we use wraps mallopt"))]

#[cfg(target_env = "gnu")]
use nix::libc;

/// Lets the process keep little memory that it does not use. To be called before there are threads.
#[cfg(target_env = "gnu")]
pub fn keep_little() {
    const LARGE: libc::c_int = 128 << 10;
    for (what, value) in
        [(libc::M_ARENA_MAX, 2), (libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, LARGE)]
    {
        // SAFETY: it sets a number of the allocator, under the allocator's own lock. A number that it does not know
        // changes nothing.
        unsafe { libc::mallopt(what, value) };
    }
}

/// Other C libraries keep little of their own accord.
#[cfg(not(target_env = "gnu"))]
pub fn keep_little() {}
