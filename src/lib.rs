//! Orlop, a CSI storage driver.
//!
//! The modules in reading order: a request enters at [`server`], is wrapped once by [`rpc`], is parsed by
//! [`volume`] into nouns that cannot be wrong, is carried out by [`controller`] or [`node`] against a
//! [`backend`], which asks the kernel through [`fs`], [`tool`] and [`sys`].

pub mod admin;
pub mod backend;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod csi;
pub mod deadline;
pub mod ephemeral;
pub mod error;
pub mod fault;
pub mod fs;
pub mod host;
pub mod identity;
pub mod locks;
pub mod logging;
pub mod metrics;
pub mod node;
pub mod registration;
pub mod rpc;
pub mod server;
pub mod sys;
pub mod tool;
pub mod volume;
