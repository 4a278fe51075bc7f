//! What the pages say is so: their tables are held against the code, their examples are parsed, their links lead
//! somewhere, and each passage of docs/semantics.md is quoted by the test that shows it.

mod cluster;
mod config;
mod ephemeral;
mod errors;
mod examples;
mod links;
mod page;
mod parameters;
mod road;
mod semantics;
