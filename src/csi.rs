//! The generated API: the Container Storage Interface, kubelet's for plugins, and the driver's private admin service.
//!
//! `build.rs` writes all of it from `proto/`. Nothing here decides anything; it is safe to log, for
//! the `Debug` of a message prints `[redacted]` in place of fields that may carry credentials.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    reason = "generated"
)]

/// The encoded `FileDescriptorSet` of everything in `proto/`, with the files it imports.
///
/// The options of the interface, such as `csi_secret`, are in it.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

/// CSI 1.13: the five services, as servers and clients, and their messages.
///
/// A server's methods answer UNIMPLEMENTED unless they are written.
pub mod v1 {
    tonic::include_proto!("csi.v1");
}

/// The private service for the verbs that must go through the running driver.
pub mod admin {
    tonic::include_proto!("orlop.admin.v1");
}

/// How kubelet learns of a plugin.
pub mod registration {
    tonic::include_proto!("pluginregistration");
}
