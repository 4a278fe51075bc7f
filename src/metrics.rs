//! What the driver says of itself over HTTP: figures for Prometheus, and whether it lives and is ready.
//!
//! Off unless an address is given. Calls are counted where they end; everything else is asked for at the moment
//! of a scrape, which takes no lock of a volume and waits for no pool longer than [`gather`] allows.

mod gather;
mod health;
mod http;
mod page;
mod pools;
mod question;
mod volumes;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::backend::{Orphans, Registry};
use crate::rpc::Calls;

use page::{Page, State};

/// Serves the figures until it is dropped.
#[derive(Debug)]
pub struct Exporter {
    page: Arc<Page>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

/// The address cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics at {address}: choose another metrics address")]
pub struct NoExporter {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

// === impl Exporter ===

impl Exporter {
    /// Serves at the address from now on, as a driver that is not ready yet. At most `most` volumes have figures
    /// of their own.
    pub async fn listen(
        address: SocketAddr,
        most: usize,
        calls: Calls,
    ) -> Result<Self, NoExporter> {
        let failed = |source| NoExporter { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let page = Arc::new(Page::new(calls, most));
        let serving = tokio::spawn(http::serve(listener, Arc::clone(&page)));
        tracing::info!("metrics are at http://{address}/metrics");
        Ok(Self { page, address, serving })
    }

    /// Returns the address that is served: where the port was left to the kernel, the one it chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells that the driver answers calls now, with these pools, in which there may be orphans.
    pub fn is_ready(&self, pools: &Registry, orphans: Orphans) {
        self.page.open(pools, orphans);
        self.page.set(State::Ready);
    }

    /// Tells that the driver accepts nothing new.
    pub fn is_stopping(&self) {
        self.page.set(State::Stopping);
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
