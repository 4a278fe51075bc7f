//! A driver on the memory backend and the simulated node.

use std::sync::Arc;

use orlop::backend::memory::Memory;
use orlop::host::simulated::Simulated;
use orlop::volume::Bytes;

use crate::driver::Driver;

/// Starts a driver that attaches at most two volumes.
pub async fn driver() -> Driver {
    limited_to(2).await
}

/// Starts a driver that attaches any number of volumes.
pub async fn unlimited() -> Driver {
    limited_to(0).await
}

async fn limited_to(volumes: u32) -> Driver {
    let host = Simulated::default();
    let pool = Memory::new("default", Bytes::gib(100), host.clone());
    Driver::start(Arc::new(pool), Arc::new(host), volumes).await
}
