//! Inline volumes as kubelet asks for them: real mounts in a namespace of the test's own.

mod attacks;
mod config;
mod frame;
mod hostpath;
mod idmapped;
mod kill;
mod rig;
mod scratch;
mod squota;
