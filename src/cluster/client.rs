//! The way to the API server.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use hyper::header::{HeaderValue, USER_AGENT};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder, ServiceExt};

use crate::error::Cause;

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(3);

/// How long nothing comes before the other side is asked whether it is still there, and how long between two such
/// questions. A watch is silent for minutes, and would never find out that its server has lost power.
const SILENCE: Duration = Duration::from_secs(10);

/// How long what was sent may stay without an answer of the other side's kernel.
const UNHEARD: Duration = Duration::from_secs(20);

/// Which program asks. The API server writes it into its audit log, with the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// `orlop controller`.
    Controller,
    /// `orlop node`.
    Node,
    /// `orlop doctor`.
    Doctor,
}

/// The API server cannot be found, or this process has no name and no secret to be known by.
#[derive(Debug)]
pub struct NoCluster {
    doing: String,
    source: Cause,
}

/// Returns the API server that the kubeconfig leads to, or that of the cluster whose pod this is. It need not answer
/// yet.
///
/// A token of a pod is read anew when it changes, and so is the authority's certificate. Nothing is tried again here:
/// whoever asks knows whether asking twice is the same as once.
pub async fn connect(caller: Caller, kubeconfig: Option<&Path>) -> Result<Client, NoCluster> {
    let (mut config, place) = match kubeconfig {
        Some(path) => (of_file(path).await?, path.display().to_string()),
        None => (of_pod()?, "the pod".to_owned()),
    };
    config.headers.push((USER_AGENT, caller.user_agent()));
    let failed = |error: kube::Error| NoCluster {
        doing: format!("cannot use the way to the API server that {place} tells"),
        source: error.into(),
    };
    let namespace = config.default_namespace.clone();
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(failed)?)
        .layer(config.extra_headers_layer().map_err(failed)?)
        .map_err(BoxError::from)
        .service(legacy::Builder::new(TokioExecutor::new()).build::<_, Body>(
            config.rustls_https_connector_with_connector(connector()).map_err(failed)?,
        ));
    Ok(Client::new(service.boxed(), namespace))
}

async fn of_file(path: &Path) -> Result<Config, NoCluster> {
    let failed = |source: Cause| NoCluster {
        doing: format!("cannot use the kubeconfig {}", path.display()),
        source,
    };
    let file = Kubeconfig::read_from(path).map_err(|error| failed(error.into()))?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    config.map_err(|error| failed(error.into()))
}

fn of_pod() -> Result<Config, NoCluster> {
    Config::incluster().map_err(|error| NoCluster {
        doing: "this is no pod with a service account: run it in one, or give cluster.kubeconfig"
            .to_owned(),
        source: error.into(),
    })
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECTING));
    connector.set_keepalive(Some(SILENCE));
    connector.set_keepalive_interval(Some(SILENCE));
    connector.set_tcp_user_timeout(Some(UNHEARD));
    connector
}

// === impl Caller ===

impl Caller {
    fn user_agent(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Controller => concat!("orlop-controller/", env!("CARGO_PKG_VERSION")),
            Self::Node => concat!("orlop-node/", env!("CARGO_PKG_VERSION")),
            Self::Doctor => concat!("orlop-doctor/", env!("CARGO_PKG_VERSION")),
        })
    }
}

// === impl NoCluster ===

impl fmt::Display for NoCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)
    }
}

impl std::error::Error for NoCluster {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
