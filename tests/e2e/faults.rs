//! What goes wrong. Each test hurts the whole cluster and runs alone: `--test-threads=1`.

mod away;
mod killed;
mod reboot;
mod registered;
mod reinstalled;
mod upgrade;
mod writer;
