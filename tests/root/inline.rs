//! Inline volumes as kubelet asks for them: real mounts in a namespace of the test's own.

mod config;
mod frame;
mod hostpath;
mod kill;
mod rig;
mod scratch;
