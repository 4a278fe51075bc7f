//! The way to the API server.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use hyper::header::{HeaderValue, USER_AGENT};
use hyper_rustls::HttpsConnector;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher;
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder, ServiceExt};

use crate::error::Cause;

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(3);

/// The limits of a client that works.
const LIMITS: Limits = Limits {
    secured: Duration::from_secs(6),
    answered: Duration::from_secs(15),
    silent: Duration::from_secs(90),
};

/// How long a server may hang that takes connections, before it counts as one that is not there. Nobody waits for ever
/// for a list or a watch.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Until both sides know each other.
    secured: Duration,
    /// Until an answer begins. That of a watch begins at once.
    answered: Duration,
    /// Between two pieces of an answer. A watch in which nothing happens ends after [`WATCHED`].
    silent: Duration,
}

/// How many seconds a watch lasts before it goes on as another one, which costs no list. The API server has nothing to say in
/// one of a kind that has had no object since it started, and a silence would be taken for its own.
const WATCHED: u32 = 60;

const _: () =
    assert!((WATCHED as u64) < LIMITS.silent.as_secs(), "a watch ends before it is given up");

/// How everything is watched.
pub fn watching() -> watcher::Config {
    watcher::Config::default().timeout(WATCHED)
}

/// How long nothing comes before the other side is asked whether it is still there, and how long between two such
/// questions. A watch is silent for minutes, and would never find out that its server has lost power.
const SILENCE: Duration = Duration::from_secs(10);

/// How long what was sent may stay without an answer of the other side's kernel.
const UNHEARD: Duration = Duration::from_secs(20);

/// Where a pod finds the certificate of its cluster's authority.
const AUTHORITY: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// Which program asks. The API server writes it into its audit log, with the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// `orlop controller`.
    Controller,
    /// `orlop node`.
    Node,
    /// `orlop doctor`.
    Doctor,
    /// A node, with the token of a pod.
    ForPod,
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
    within(LIMITS, caller, kubeconfig).await
}

/// Returns a way to the API server on which this process has no name: whoever asks says in each request who they are.
///
/// Everything goes over one connection, if the server can do that: a node has hundreds of watches.
pub async fn connect_for_pods(kubeconfig: Option<&Path>) -> Result<Client, NoCluster> {
    let mut config = match kubeconfig {
        Some(path) => of_file(path).await?,
        None => of_pod_without_name()?,
    };
    config.auth_info = AuthInfo::default();
    config.headers.push((USER_AGENT, Caller::ForPod.user_agent()));
    let failed = |error: kube::Error| NoCluster {
        doing: "cannot use the way to the API server".to_owned(),
        source: error.into(),
    };
    let mut tls = config.rustls_client_config().map_err(failed)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connector = limited(HttpsConnector::from((connector(), tls)), LIMITS);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(config.extra_headers_layer().map_err(failed)?)
        .timeout(LIMITS.answered)
        .map_err(BoxError::from)
        .service(legacy::Builder::new(TokioExecutor::new()).build::<_, Body>(connector));
    Ok(Client::new(service.boxed(), config.default_namespace))
}

/// Returns where the API server of this pod's cluster is. The pod needs no service account for that, only the
/// certificate of the authority.
fn of_pod_without_name() -> Result<Config, NoCluster> {
    let failed = |source: Cause| NoCluster {
        doing: "this is no pod of a cluster: run it in one, or give cluster.kubeconfig".to_owned(),
        source,
    };
    let variable = |name| std::env::var(name).map_err(|error| failed(error.into()));
    let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let uri = format!("https://{host}:{port}").parse::<http::Uri>();
    let mut config = Config::new(uri.map_err(|error| failed(error.into()))?);
    // It is read anew when it changes. Nobody else is trusted: without this the certificates of the system would be
    // asked for first, and an image has none.
    config.root_cert = Some(Vec::new());
    config.root_cert_file = Some(AUTHORITY.into());
    Ok(config)
}

type Secured = HttpsConnector<HttpConnector>;

fn limited(connector: Secured, limits: Limits) -> TimeoutConnector<Secured> {
    let mut connector = TimeoutConnector::new(connector);
    connector.set_connect_timeout(Some(limits.secured));
    connector.set_read_timeout(Some(limits.silent));
    connector.set_reset_reader_on_write(true);
    connector
}

async fn within(
    limits: Limits,
    caller: Caller,
    kubeconfig: Option<&Path>,
) -> Result<Client, NoCluster> {
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
    let secured = config.rustls_https_connector_with_connector(connector()).map_err(failed)?;
    let connector = limited(secured, limits);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(failed)?)
        .layer(config.extra_headers_layer().map_err(failed)?)
        .timeout(limits.answered)
        .map_err(BoxError::from)
        .service(legacy::Builder::new(TokioExecutor::new()).build::<_, Body>(connector));
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
            Self::ForPod => concat!("orlop/", env!("CARGO_PKG_VERSION"), " for-pod"),
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

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use k8s_openapi::api::core::v1::Node;
    use kube::Api;
    use kube::api::{ListParams, WatchParams};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    /// Returns the nodes of a server that answers with this text, and then hangs.
    async fn nodes_of(answer: &'static str) -> Api<Node> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut asked = [0; 4096];
                drop(client.read(&mut asked).await);
                client.write_all(answer.as_bytes()).await.unwrap();
                open.push(client);
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kubeconfig");
        let config = serde_json::json!({
            "clusters": [{ "name": "c", "cluster": { "server": server } }],
            "users": [{ "name": "u", "user": {} }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
            "current-context": "c",
        });
        std::fs::write(&file, config.to_string()).unwrap();
        let limits = Limits { secured: SHORT, answered: SHORT, silent: SHORT };
        Api::all(within(limits, Caller::Node, Some(&file)).await.unwrap())
    }

    /// Returns what the future does, which is not to hang.
    async fn ends<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(10), future).await.expect("it hangs")
    }

    const BEGUN: &str =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n";

    #[tokio::test]
    async fn a_server_that_takes_a_request_and_does_not_answer_is_given_up() {
        let nodes = nodes_of("").await;
        ends(nodes.list(&ListParams::default())).await.unwrap_err();
        let watch = ends(nodes.watch(&WatchParams::default(), "1")).await;
        assert!(watch.is_err());
    }

    #[tokio::test]
    async fn an_answer_that_stops_in_the_middle_is_given_up() {
        let nodes = nodes_of(BEGUN).await;
        ends(nodes.list(&ListParams::default())).await.unwrap_err();
        let watch = ends(nodes.watch(&WatchParams::default(), "1")).await.unwrap();
        let events: Vec<_> = ends(watch.collect()).await;
        assert!(events.iter().all(Result::is_err), "{events:?}");
    }
}
