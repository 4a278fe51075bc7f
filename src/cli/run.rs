//! The driver: pools, then sockets, then service until a signal, then the drain.

mod clustered;
mod inline;
mod routes;

use std::path::Path;
use std::process::ExitCode;

use futures_util::future::try_join_all;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport;

use super::doctor;
use super::failure::Failure;
use super::options::DriverOptions;
use super::pools::{self, Opened};
use crate::backend::{Freed, Orphans};
use crate::cluster::node::Node;
use crate::config::{Config, Endpoint, NodeId};
use crate::csi::registration::registration_server::RegistrationServer;
use crate::identity::DRIVER_NAME;
use crate::locks::Locks;
use crate::logging::{self, Levels};
use crate::metrics::{Exporter, NoExporter};
use crate::registration::Registration;
use crate::rpc::Calls;
use crate::server::{self, Drain, Ended, Services, Socket, Stops};
use crate::sys::{blocking, code, freeze};

pub(super) use routes::Mode;

/// What `orlop all --help` shows below the options.
pub(super) const ALL_EXAMPLES: &str = include_str!("help/all.txt");

/// What `orlop controller --help` and `orlop node --help` show below the options.
pub(super) const APART: &str = include_str!("help/apart.txt");

/// The socket of `orlop all` where nothing else is said.
const USUAL_SOCKET: &str = "/run/orlop/csi.sock";

/// What a driver is started with.
#[derive(Debug)]
struct Setup {
    mode: Mode,
    config: Config,
    node: NodeId,
    endpoint: Endpoint,
    admin: Endpoint,
}

/// What is seen of the driver, and set, from outside.
struct Outside {
    levels: Levels,
    calls: Calls,
    exporter: Option<Exporter>,
    /// The way to the API server, where this is a node of a cluster.
    cluster: Option<kube::Client>,
}

/// Serves until a signal asks it to stop.
pub(super) async fn run(mode: Mode, options: DriverOptions) -> Result<ExitCode, Failure> {
    let levels = logging::start(options.log_format, options.log_level.clone())?;
    let setup = Setup::of(mode, options)?;
    // From here on a signal ends the driver in order, however far it has come.
    let mut signals = Stops::new()?;
    setup.check_sockets().await?;
    let calls = Calls::default();
    let exporter = setup.exporter(&calls).await?;
    tokio::select! {
        opened = async { Ok::<_, Failure>((setup.cluster_of_node().await?, setup.open().await?)) } => {
            let (cluster, opened) = opened?;
            let outside = Outside { levels, calls, exporter, cluster };
            setup.serve(opened, outside, signals).await
        }
        name = signals.next() => {
            tracing::info!(signal = name, "stopped before it was ready");
            Ok(ExitCode::SUCCESS)
        }
    }
}

// === impl Setup ===

impl Setup {
    fn of(mode: Mode, options: DriverOptions) -> Result<Self, Failure> {
        let (mut config, node) = options.config.read()?;
        config.metrics.address = options.metrics_address.or(config.metrics.address);
        let endpoint = endpoint(mode, options.endpoint, &config)?;
        let admin = config.admin_socket();
        let admin =
            admin.map_err(|mistake| Failure::misconfigured(format!("stateDir: {mistake}")))?;
        Ok(Self { mode, config, node, endpoint, admin })
    }

    /// Looks at the sockets before anything else: a second driver is refused before it touches a pool.
    async fn check_sockets(&self) -> Result<(), Failure> {
        if self.endpoint.path() == Path::new(USUAL_SOCKET) {
            make_usual_directory()?;
        }
        Socket::check(&self.endpoint).await?;
        inline::check_sockets(self).await?;
        pools::make_state_dir(&self.config.state_dir)?;
        Ok(Socket::check(&self.admin).await?)
    }

    /// Serves the metrics, if that is wanted: from before the pools are opened, which can take a while.
    async fn exporter(&self, calls: &Calls) -> Result<Option<Exporter>, NoExporter> {
        let metrics = self.config.metrics;
        let Some(address) = metrics.address else { return Ok(None) };
        let most = usize::try_from(metrics.max_volumes).unwrap_or(usize::MAX);
        Exporter::listen(address.0, most, calls.clone()).await.map(Some)
    }

    async fn open(&self) -> Result<Opened, Failure> {
        if let Some(cluster) =
            self.config.cluster.as_ref().filter(|_| self.mode == Mode::Controller)
        {
            tracing::info!("waiting until the objects of the cluster are known");
            return pools::of_cluster(cluster).await;
        }
        let missing = pools::find_programs(&self.config).missing();
        // A simulated volume is not formatted.
        for program in missing.into_iter().filter(|_| !self.config.is_simulated()) {
            let package = program.package();
            tracing::warn!(package, "{program} is not installed: what needs it will fail");
        }
        if self.mode != Mode::Controller {
            if let Some(wrong) = doctor::unshared_mounts(&self.config) {
                return Err(Failure::failed(wrong));
            }
            for role in self.config.roles.without_endpoint() {
                tracing::info!("role {role} has no endpoint: not served");
            }
        }
        pools::open(&self.config, &self.node).await
    }

    /// Returns whether controller and nodes are joined by the custom resources of a cluster.
    fn is_joined(&self) -> bool {
        self.mode != Mode::All && self.config.cluster.is_some()
    }

    fn announce(&self) {
        let pools: Vec<&str> = self.config.pools.iter().map(|pool| pool.name.as_str()).collect();
        tracing::info!(
            endpoint = %self.endpoint, node = %self.node, pools = pools.join(","),
            version = env!("CARGO_PKG_VERSION"), "serving {}", self.mode
        );
    }

    /// Tells kubelet of the socket of a driver, if that is wanted: it asks at once, so the socket has to listen already.
    async fn registration(
        &self,
        driver: &'static str,
        endpoint: &Endpoint,
    ) -> Result<Option<(Socket, Services)>, Failure> {
        if !self.config.registration || self.mode == Mode::Controller {
            return Ok(None);
        }
        let registration = Registration::new(driver, endpoint.path());
        let file = Endpoint::at(&registration.file(&self.config.plugin_registry()))?;
        let socket = Socket { is_called_by_path: true, ..Socket::listen(&file).await? };
        Ok(Some((socket, Services::of(RegistrationServer::new(registration)))))
    }

    async fn serve(
        self,
        opened: Opened,
        Outside { levels, calls, exporter, cluster }: Outside,
        mut signals: Stops,
    ) -> Result<ExitCode, Failure> {
        let (locks, stop) = (Locks::default(), CancellationToken::new());
        // Only now: whoever can connect is answered. And the sockets of the volumes last: who finds them finds all.
        let mut served = inline::open(&self, &locks, &calls).await?;
        let (csi, admin) =
            (Socket::listen(&self.endpoint).await?, Socket::listen(&self.admin).await?);
        let pools = opened.pools.clone();
        let (orphans, freed) = (Orphans::default(), Freed::default());
        let limiter = routes::limiter(&self, &opened, &locks);
        let node = cluster.zip(limiter.clone()).map(|(client, enforcer)| {
            self.fulfil(
                client,
                opened.pools.clone(),
                &locks,
                enforcer,
                (orphans.clone(), freed.clone()),
            )
        });
        let routes = routes::of(&self, opened, &locks, limiter, freed, levels);
        served.extend(self.registration(DRIVER_NAME, &self.endpoint).await?);
        served.extend([(csi, routes.csi), (admin, routes.admin)]);
        let mut serving = tokio::spawn(serve_all(served, calls.clone(), stop.clone()));

        if let Some(exporter) = &exporter {
            exporter.is_ready(&pools, orphans);
        }
        self.announce();
        if let Err(failure) = code::give_back() {
            tracing::debug!(cause = %failure.source, "{failure}");
        }
        tokio::select! {
            name = signals.next() => tracing::info!(signal = name, "asked to stop"),
            ended = &mut serving => return Err(ended_by_itself(ended)),
        }
        if let Some(exporter) = &exporter {
            exporter.is_stopping();
        }
        let drain = Drain { stop, calls, locks, grace: self.config.shutdown_grace };
        Ok(stop_in_order(drain, serving, signals, node).await)
    }
}

type Serving = JoinHandle<Result<(), transport::Error>>;

/// Serves each socket until all have ended or one fails.
async fn serve_all(
    served: Vec<(Socket, Services)>,
    calls: Calls,
    stop: CancellationToken,
) -> Result<(), transport::Error> {
    let serve = |(socket, services)| server::serve(socket, services, calls.clone(), stop.clone());
    try_join_all(served.into_iter().map(serve)).await.map(|_| ())
}

/// Lets what began end, within the grace.
async fn stop_in_order(
    drain: Drain,
    serving: Serving,
    mut signals: Stops,
    node: Option<Node>,
) -> ExitCode {
    let grace = drain.grace;
    let stop_node = async {
        let Some(node) = &node else { return true };
        tokio::time::timeout(grace, node.stop()).await.is_ok()
    };
    let (ended, node_ended) = tokio::join!(drain.run(finish(serving), signals.next()), stop_node);
    // A copy that takes longer than the grace must not leave its volume frozen until the next start.
    blocking(freeze::thaw_all).await;
    match ended {
        Ended::Cleanly if node_ended => ExitCode::SUCCESS,
        Ended::Cleanly | Ended::Unfinished => ExitCode::FAILURE,
    }
}

/// Waits for the connections to be done.
async fn finish(serving: Serving) {
    match serving.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a connection did not end well"),
        Err(error) => tracing::error!(%error, "the server did not end well"),
    }
}

fn ended_by_itself(ended: Result<Result<(), transport::Error>, tokio::task::JoinError>) -> Failure {
    match ended {
        Ok(Ok(())) => Failure::failed("the server stopped by itself"),
        Ok(Err(error)) => error.into(),
        Err(error) => error.into(),
    }
}

fn endpoint(mode: Mode, flag: Option<Endpoint>, config: &Config) -> Result<Endpoint, Failure> {
    if let Some(endpoint) = flag.or_else(|| config.roles.volumes.clone()) {
        return Ok(endpoint);
    }
    match mode {
        Mode::All => Ok(Endpoint::at(Path::new(USUAL_SOCKET))?),
        Mode::Controller | Mode::Node => Err(Failure::misconfigured(
            "no endpoint: give --endpoint, the variable CSI_ENDPOINT or roles.volumes.endpoint in the config",
        )),
    }
}

/// Makes the directory of the usual socket, which is ours; those of other sockets belong to whoever chose them.
fn make_usual_directory() -> Result<(), Failure> {
    let directory = Path::new(USUAL_SOCKET).parent().unwrap_or(Path::new("/"));
    let made = std::fs::create_dir_all(directory);
    made.map_err(|error| Failure::failed(format!("cannot make {}: {error}", directory.display())))
}
