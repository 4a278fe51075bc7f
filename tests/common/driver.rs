//! A driver behind a real socket, with clients of its services.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use orlop::backend::{Local, LocalPool, Registry};
use orlop::controller::{self, Controller};
use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::group_controller_client::GroupControllerClient;
use orlop::csi::v1::identity_client::IdentityClient;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::snapshot_metadata_client::SnapshotMetadataClient;
use orlop::host::Host;
use orlop::identity::Identity;
use orlop::locks::Locks;
use orlop::node::{self, Limiter, Node};
use orlop::rpc::{Calls, CallsLayer};
use orlop::server::Services;
use orlop::volume::Bytes;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint, Server};

/// The node that every test driver runs on.
pub const NODE: &str = "n1";

/// A running driver; it stops with its runtime.
#[derive(Debug)]
pub struct Driver {
    pub identity: IdentityClient<Channel>,
    pub controller: ControllerClient<Channel>,
    pub groups: GroupControllerClient<Channel>,
    pub node: NodeClient<Channel>,
    pub metadata: SnapshotMetadataClient<Channel>,
    pub locks: Locks,
    /// A directory for staging and target paths, and the socket.
    pub room: tempfile::TempDir,
    served: tokio::task::JoinHandle<()>,
}

// === impl Driver ===

impl Driver {
    /// Starts a driver with one pool, attaching at most `limit` volumes.
    pub async fn start(backend: Arc<dyn Local>, host: Arc<dyn Host>, limit: u32) -> Self {
        let pool = LocalPool::new("default", NODE, backend);
        Self::start_with(vec![pool], host, limit).await
    }

    /// Starts a driver with these pools.
    pub async fn start_with(pools: Vec<LocalPool>, host: Arc<dyn Host>, limit: u32) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), pools, host, limit).await
    }

    /// Starts a driver with these pools in a room that a stopped one may have left.
    pub async fn start_in(
        room: tempfile::TempDir,
        pools: Vec<LocalPool>,
        host: Arc<dyn Host>,
        limit: u32,
    ) -> Self {
        let socket = room.path().join("csi.sock");
        drop(std::fs::remove_file(&socket));
        let locks = Locks::default();
        let pools = Registry::new(pools);
        let limiter = Limiter::start(pools.clone(), Arc::clone(&host), locks.clone());
        let controller = Controller::new(controller::Settings {
            pools: Arc::new(pools.clone()),
            locks: locks.clone(),
            attach: true,
            max_volumes_per_node: limit,
            attaching: tokio::sync::Mutex::default(),
            default_size: Bytes::gib(1),
            enforcer: Some(limiter.clone()),
        });
        let node = Node::new(node::Settings {
            freed: orlop::backend::Freed::default(),
            pools,
            locks: locks.clone(),
            host,
            limiter,
            node: NODE.to_owned(),
            max_volumes_per_node: limit,
        });
        let served = serve(&socket, controller, node);
        let channel = connect(socket).await;
        Self {
            identity: IdentityClient::new(channel.clone()),
            controller: ControllerClient::new(channel.clone()),
            groups: GroupControllerClient::new(channel.clone()),
            node: NodeClient::new(channel.clone()),
            metadata: SnapshotMetadataClient::new(channel),
            locks,
            room,
            served,
        }
    }

    /// Ends the driver and keeps its room, with all that is mounted there.
    pub async fn stop(self) -> tempfile::TempDir {
        let Self { identity, controller, groups, node, metadata, room, served, .. } = self;
        drop((identity, controller, groups, node, metadata));
        served.abort();
        assert!(served.await.unwrap_err().is_cancelled());
        room
    }

    /// Returns a path in the driver's room.
    pub fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    /// Makes the staging directory, as the orchestrator does, and returns its path.
    pub fn staging(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(&path).unwrap();
        text(&path)
    }
}

fn serve(socket: &Path, controller: Controller, node: Node) -> tokio::task::JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    let identity = Identity::new(Arc::new(AtomicBool::new(true)));
    let metadata = v1::snapshot_metadata_server::SnapshotMetadataServer::new(controller.clone());
    let services = Services::of(v1::identity_server::IdentityServer::new(identity))
        .and(v1::controller_server::ControllerServer::new(controller.clone()))
        .and(v1::group_controller_server::GroupControllerServer::new(controller))
        .and(v1::node_server::NodeServer::new(node))
        .and(metadata);
    let served = Server::builder()
        .layer(CallsLayer::new(Calls::default(), CancellationToken::new()))
        .serve_with_incoming(services, UnixListenerStream::new(listener));
    tokio::spawn(async { served.await.unwrap() })
}

/// Connects to the socket; `localhost` is the authority that kubelet and csi-sanity send.
pub async fn connect(socket: PathBuf) -> Channel {
    let call = tower::service_fn(move |_| dial(socket.clone()));
    Endpoint::from_static("http://localhost").connect_with_connector(call).await.unwrap()
}

/// Connects to the socket at the first call, which fails when nobody listens there.
pub fn connect_lazily(socket: PathBuf) -> Channel {
    let call = tower::service_fn(move |_| dial(socket.clone()));
    Endpoint::from_static("http://localhost").connect_with_connector_lazy(call)
}

async fn dial(socket: PathBuf) -> std::io::Result<hyper_util::rt::TokioIo<UnixStream>> {
    Ok(hyper_util::rt::TokioIo::new(UnixStream::connect(socket).await?))
}

/// Returns the path as a request has it.
pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
