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

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use nix::errno::Errno;
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
    source: io::Error,
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
        let listener = match TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) => match without_ipv6(address, &error) {
                Some(address) => TcpListener::bind(address).await.map_err(failed)?,
                None => return Err(failed(error)),
            },
        };
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

/// Returns what "all addresses" are where the kernel has no IPv6, which is what the error says if so.
fn without_ipv6(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let lacks_ipv6 = error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32);
    (address.ip() == Ipv6Addr::UNSPECIFIED && lacks_ipv6)
        .then(|| (Ipv4Addr::UNSPECIFIED, address.port()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_those_that_the_kernel_has() {
        let lacks = io::Error::from(Errno::EAFNOSUPPORT);
        let busy = io::Error::from(Errno::EADDRINUSE);
        for (address, error, expected) in [
            ("[::]:9790", &lacks, Some("0.0.0.0:9790")),
            ("[::]:9790", &busy, None),
            ("[::1]:9790", &lacks, None),
        ] {
            let instead = without_ipv6(address.parse().unwrap(), error);
            assert_eq!(instead, expected.map(|text| text.parse().unwrap()), "{address} {error}");
        }
    }
}
