//! The rig: a cluster, and one test's view of it.
//!
//! ```text
//! rig::shared(async |rig| …)   the cluster that all such tests share: names must differ between tests
//! rig::alone(async |rig| …)    a cluster of its own, for a test that hurts it
//! rig::alone_with(orlop, …)    the same for another driver than the one that was built for the tests
//! ```
//!
//! The test runs in the cluster's network, on one thread, with a mount namespace of its own. The cluster's files
//! are in a memory file system that only the cluster and its tests see.

mod api;
mod audit;
mod cluster;
mod driver;
mod helm;
mod identity;
mod mounts;
mod namespaces;
mod nodes;
mod orlop;
mod process;
mod relay;
mod rules;
mod sidecars;
mod wanted;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

pub(crate) use api::{Api, Refused};
pub(crate) use audit::{Audit, Event, Mark};
pub(crate) use cluster::Cluster;
pub(crate) use helm::chart;
pub(crate) use identity::Identity;
pub(crate) use mounts::Mounts;
use mounts::in_a_thread;
pub(crate) use process::Process;
pub(crate) use relay::Relay;
pub(crate) use rules::{Rule, granted, missing, too_few, used, wanted_by_processes};
pub(crate) use wanted::wanted;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A test's view of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Rig {
    pub(crate) cluster: Arc<Cluster>,
    /// The API, as somebody who may do everything.
    pub(crate) api: Api,
}

/// Runs the test in the cluster that such tests share.
pub(crate) fn shared(test: impl AsyncFnOnce(Rig) + Send) {
    static CLUSTER: LazyLock<Arc<Cluster>> = LazyLock::new(|| Arc::new(Cluster::start(built())));
    in_a_thread(|| Rig::run(Arc::clone(&CLUSTER), test));
}

/// Runs the test in a cluster of its own.
pub(crate) fn alone(test: impl AsyncFnOnce(Rig) + Send) {
    alone_with(built(), test);
}

/// Does the work in a cluster of its own that is for this driver.
pub(crate) fn alone_with<T: Send>(orlop: PathBuf, work: impl AsyncFnOnce(Rig) -> T + Send) -> T {
    in_a_thread(|| Rig::run(Arc::new(Cluster::start(orlop)), work))
}

/// The driver that was built for the tests.
#[allow(clippy::option_env_unwrap, reason = "the bench is no test, and names the driver itself")]
pub(crate) fn built() -> PathBuf {
    option_env!("CARGO_BIN_EXE_orlop").expect("cargo names it when it builds tests").into()
}

// === impl Rig ===

impl Rig {
    fn run<T>(cluster: Arc<Cluster>, work: impl AsyncFnOnce(Self) -> T) -> T {
        cluster.namespaces.enter();
        // One thread: what it starts inherits the namespaces.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let api = Api::new(&cluster.kubeconfig(&Identity::Admin)).await;
            let rig = Self { cluster, api };
            rig.until_it_is_ready().await;
            let outcome = work(rig.clone()).await;
            rig.nobody_wanted_more();
            outcome
        })
    }

    /// Fails if a process of Orlop has asked for what its role does not allow, in this test or beside it.
    fn nobody_wanted_more(&self) {
        let wanted: Vec<_> =
            too_few(&self.audit().next()).iter().map(ToString::to_string).collect();
        assert!(wanted.is_empty(), "deploy/cluster/rights.yaml has no rule for this: {wanted:?}");
    }

    /// Waits until the API server answers, after its start.
    pub(crate) async fn until_it_is_ready(&self) {
        let is_ready = async || self.api.is_ready().await.then_some(());
        self.until("the API server is ready", is_ready).await;
    }

    /// Returns a file by which clients know the cluster and are this identity.
    pub(crate) fn kubeconfig(&self, identity: &Identity) -> PathBuf {
        self.cluster.kubeconfig(identity)
    }

    /// Returns the API as this identity.
    pub(crate) async fn api_of(&self, identity: &Identity) -> Api {
        Api::new(&self.kubeconfig(identity)).await
    }

    /// Runs kubectl as one who may do everything, and returns what it prints.
    pub(crate) fn kubectl<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let output = self.kubectl_as(&Identity::Admin, args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl: {}: {errors}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes these objects, or changes them to what is written here.
    pub(crate) fn apply(&self, objects: &str) {
        let file = tempfile::NamedTempFile::new_in(&self.cluster.dir).unwrap();
        std::fs::write(file.path(), objects).unwrap();
        self.kubectl(["apply".as_ref(), "-f".as_ref(), file.path()]);
    }

    /// Runs kubectl as this identity.
    pub(crate) fn kubectl_as<S: AsRef<OsStr>>(
        &self,
        identity: &Identity,
        args: impl IntoIterator<Item = S>,
    ) -> Output {
        let mut kubectl = Command::new(program("kube"));
        kubectl.arg("kubectl").arg("--kubeconfig").arg(self.kubeconfig(identity));
        // What it keeps of the server's types goes with the cluster.
        kubectl.args(args).env("HOME", &self.cluster.dir).output().unwrap()
    }

    /// Returns what the API server was asked.
    pub(crate) fn audit(&self) -> &Audit {
        &self.cluster.audit
    }

    /// Waits until an object was written so often since, and returns how, as `create` or `patch status`.
    pub(crate) async fn written(&self, since: Mark, name: &str, count: usize) -> Vec<String> {
        // What is in the API can be in the log a moment later, if it was somebody else who wrote it.
        let enough = async || {
            let writes = self.audit().writes(since, name);
            (writes.len() >= count).then_some(writes)
        };
        self.until(&format!("{name} was written {count} times"), enough).await
    }

    /// Starts a program in the cluster's network, with the mounts that the calling thread sees. It ends with the
    /// cluster, at the latest.
    pub(crate) fn spawn(&self, name: &str, command: Command) -> Process {
        self.spawn_on(&Mounts::here(), name, command)
    }

    /// Starts a program where these mounts are.
    pub(crate) fn spawn_on(&self, mounts: &Mounts, name: &str, command: Command) -> Process {
        self.cluster.spawn(mounts, name, command)
    }

    /// Returns the directory of this name, which goes with the cluster.
    pub(crate) fn room(&self, name: &str) -> PathBuf {
        let room = self.cluster.dir.join(name);
        std::fs::create_dir_all(&room).unwrap();
        room
    }

    /// Returns a file like [`Rig::kubeconfig`] for a client that goes through the relay.
    pub(crate) fn kubeconfig_through(&self, relay: &Relay, identity: &Identity) -> PathBuf {
        self.cluster.identities.kubeconfig(identity, relay.address())
    }

    /// Asks until there is an answer.
    pub(crate) async fn until<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: not yet\n{}", self.cluster.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Lets a program believe that it is another time, such as `+1h`. Works for those that ask libc.
pub(crate) fn with_clock(command: &mut Command, offset: &str) {
    command.envs(clock(offset));
}

/// Returns the variables that do it.
pub(crate) fn clock(offset: &str) -> [(&'static str, String); 3] {
    let library = PathBuf::from(format!(
        "/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1",
        std::env::consts::ARCH
    ));
    assert!(library.exists(), "{} is missing: run `make deps`", library.display());
    let library = library.to_str().unwrap().to_owned();
    // How long something takes stays true.
    let monotonic = ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned());
    [("LD_PRELOAD", library), ("FAKETIME", offset.to_owned()), monotonic]
}

/// A program that `make tools` builds.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/bin").join(name);
    assert!(path.exists(), "{} is missing: run `make tools`", path.display());
    path
}
