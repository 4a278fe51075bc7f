//! The controller of a cluster: pools that are elsewhere, and wishes for what is to be in them.
//!
//! Nothing is kept here. What there is, is in the objects; a [`Known`] shows them as they were a moment ago, without a
//! question to the API server. So two controllers can answer at once, and one that is killed is finished by the next.
//! Three rules keep that safe. What is not known is asked for before it counts as not there; whatever is changed or
//! taken back is read first and changed only if it is still the same; and of a wish that a node has not begun nobody
//! says that it is still going on.

mod abandoned;
mod change;
mod fulfil;
mod groups;
mod health;
mod kind;
mod known;
mod node;
mod patience;
mod place;
mod pools;
mod promises;
mod remote;
mod remove;
mod seen;
mod snapshots;
mod tally;
mod volumes;
mod watch;

use std::fmt;
use std::sync::Arc;

use kube::{Api, Client};

use super::objects::{GroupSnapshot, Lean, Pool, Snapshot, Volume};
use kind::Kind;
use known::Known;
use node::Node;
use promises::Promises;
use seen::Seen;
use tally::Counted;

/// The pools of a cluster's nodes, wherever they are.
#[derive(Debug, Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

/// What all pools of the cluster share.
struct Shared {
    client: Client,
    volumes: Known<Seen<Volume>>,
    snapshots: Known<Seen<Snapshot>>,
    groups: Known<Seen<GroupSnapshot>>,
    pools: Known<Pool>,
    /// Whether each node is ready.
    nodes: Known<bool>,
    promises: Arc<Promises>,
}

// === impl Cluster ===

impl Cluster {
    /// Begins to watch the cluster, and returns its pools when everything is known that there is. Without an API
    /// server that takes until there is one.
    pub async fn start(client: Client) -> Self {
        let shared = Arc::new(Shared {
            client,
            volumes: Known::default(),
            snapshots: Known::default(),
            groups: Known::default(),
            pools: Known::default(),
            nodes: Known::default(),
            promises: Arc::default(),
        });
        shared.watch();
        shared.is_known().await;
        tokio::spawn(abandoned::take_away(Arc::clone(&shared)));
        Self { shared }
    }
}

// === impl Shared ===

impl Shared {
    /// Keeps what is known true, for as long as the process lives.
    fn watch(self: &Arc<Self>) {
        let all = |shared: &Arc<Self>| Arc::clone(shared);
        let client = || self.client.clone();
        tokio::spawn(watch::keep(Api::all(client()), all(self), |of| &of.volumes, seen));
        tokio::spawn(watch::keep(Api::all(client()), all(self), |of| &of.snapshots, seen));
        tokio::spawn(watch::keep(Api::all(client()), all(self), |of| &of.groups, seen));
        tokio::spawn(watch::keep(Api::all(client()), all(self), |of| &of.pools, whole));
        tokio::spawn(watch::keep(Api::all(client()), all(self), |of| &of.nodes, Node::is_ready));
    }

    async fn is_known(&self) {
        self.volumes.is_whole().await;
        self.snapshots.is_whole().await;
        self.groups.is_whole().await;
        self.pools.is_whole().await;
        self.nodes.is_whole().await;
    }

    fn api<K: Kind>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }
}

fn seen<K: Kind>(Lean(object): &Lean<K>) -> Seen<K> {
    Seen::of(object)
}

fn whole(Lean(pool): &Lean<Pool>) -> Pool {
    pool.clone()
}

impl Counted for Pool {}

/// Of a node it is known whether it is ready.
impl Counted for bool {}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
