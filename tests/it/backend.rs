//! The memory backend keeps the contract of every backend.

use orlop::backend::memory::Memory;
use orlop::host::simulated::Simulated;
use orlop::volume::Bytes;

use crate::conformance;

fn pool() -> Memory {
    Memory::new("m", Bytes::gib(100), Simulated::default())
}

#[tokio::test]
async fn memory_conforms() {
    conformance::all(&pool()).await;
}
