//! The binary as a user meets it: its sockets, its signals, its words and its exit codes.

mod help;
mod logs;
mod misconfigured;
pub mod program;
mod registration;
mod roles;
mod sockets;
mod stop;
