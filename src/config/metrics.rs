//! Where the driver's figures are served, and how many of them.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// How many volumes have figures of their own where nothing else is said.
const USUAL_MOST_VOLUMES: u32 = 2000;

/// What is served to whoever watches the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metrics {
    /// Where; nothing for nowhere.
    pub address: Option<MetricsAddress>,
    /// How many volumes have figures of their own; 0 for none.
    pub max_volumes: u32,
}

/// An IP address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsAddress(pub SocketAddr);

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an address to serve at: write an IP address and a port such as 127.0.0.1:9790, or :9790 for all addresses"
)]
pub struct NotAnAddress(String);

// === impl Metrics ===

impl Metrics {
    pub(super) fn of(address: Option<MetricsAddress>, max_volumes: Option<u32>) -> Self {
        Self { address, max_volumes: max_volumes.unwrap_or(USUAL_MOST_VOLUMES) }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { address: None, max_volumes: USUAL_MOST_VOLUMES }
    }
}

// === impl MetricsAddress ===

impl FromStr for MetricsAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let wrong = || NotAnAddress(text.to_owned());
        if let Some(port) = text.strip_prefix(':') {
            let port = port.parse().ok().ok_or_else(wrong)?;
            return Ok(Self((Ipv6Addr::UNSPECIFIED, port).into()));
        }
        text.parse().map(Self).ok().ok_or_else(wrong)
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_and_a_port() {
        for (text, expected) in [
            ("127.0.0.1:9790", Some("127.0.0.1:9790")),
            ("[::1]:1", Some("[::1]:1")),
            (":9790", Some("[::]:9790")),
            ("127.0.0.1", None),
            ("9790", None),
            (":", None),
            (":99999", None),
            ("localhost:9790", None),
            ("", None),
        ] {
            let address: Option<MetricsAddress> = text.parse().ok();
            assert_eq!(address.map(|found| found.to_string()).as_deref(), expected, "{text}");
        }
    }
}
