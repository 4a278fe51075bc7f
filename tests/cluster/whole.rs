//! One controller and real nodes: what users do, from end to end.

mod adopted;
mod conformance;
mod kills;
mod life;
