//! The programs of a cluster: etcd and the API server always, the others when a test first asks for them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use super::audit::Audit;
use super::identity::{Identities, Identity};
use super::mounts::Mounts;
use super::namespaces::Namespaces;
use super::process::{self, Process};
use super::program;

/// Where the API server is: at the first address of services, as in every cluster, so that what runs in a pod finds it.
pub(crate) const ADDRESS: &str = "10.96.0.1:443";

/// Where the files of a cluster are. Each has a memory file system of its own there.
const FILES: &str = "/run";

const ETCD: &str = "http://127.0.0.1:2379";

/// What the controller manager does. It must not take a node away that has no kubelet, and its pods with it.
const CONTROLLERS: &[&str] = &[
    "ephemeral-volume-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "persistentvolume-binder-controller",
    "persistentvolume-protection-controller",
    "persistentvolumeclaim-protection-controller",
    "serviceaccount-controller",
];

/// A running cluster; it ends when this is dropped, or with the test process.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) audit: Audit,
    pub(crate) identities: Identities,
    pub(crate) began: Instant,
    /// The driver that is tested, or measured.
    pub(super) orlop_program: PathBuf,
    /// Whether Orlop is installed.
    pub(super) orlop: tokio::sync::OnceCell<()>,
    /// The directory for all files.
    pub(crate) dir: PathBuf,
    // In the order in which they must go.
    scheduler: OnceLock<Process>,
    manager: OnceLock<Process>,
    api_server: Mutex<Option<Process>>,
    etcd: OnceLock<Process>,
    pub(crate) namespaces: Namespaces,
}

// === impl Cluster ===

impl Cluster {
    /// Starts etcd and the API server. From then on the calling thread is in their namespaces. This is the driver that
    /// they are for.
    pub(crate) fn start(orlop_program: PathBuf) -> Self {
        let began = Instant::now();
        let namespaces = Namespaces::new(&["10.96.0.1/32"], Path::new(FILES));
        // Their files are seen only from inside.
        namespaces.enter();
        let dir = Path::new(FILES).join("rig");
        for made in [&dir, &dir.join("log")] {
            std::fs::create_dir(made).unwrap();
        }
        let cluster = Self {
            audit: Audit::new(&dir),
            identities: Identities::new(dir.join("pki"), &["10.96.0.1", "127.0.0.1"]),
            began,
            orlop_program,
            orlop: tokio::sync::OnceCell::new(),
            dir,
            scheduler: OnceLock::new(),
            manager: OnceLock::new(),
            api_server: Mutex::new(None),
            etcd: OnceLock::new(),
            namespaces,
        };
        cluster.etcd.get_or_init(|| cluster.spawn(&Mounts::here(), "etcd", etcd(&cluster.dir)));
        cluster.start_api_server();
        cluster
    }

    pub(crate) fn kubeconfig(&self, identity: &Identity) -> PathBuf {
        self.identities.kubeconfig(identity, ADDRESS)
    }

    pub(crate) fn spawn(&self, mounts: &Mounts, name: &str, command: Command) -> Process {
        let log = self.dir.join("log").join(name);
        Process::start(&self.namespaces, mounts, command, &log)
    }

    /// Starts the API server, on what etcd has.
    pub(crate) fn start_api_server(&self) {
        let mut running = self.api_server.lock().unwrap();
        assert!(running.is_none(), "the API server runs");
        *running = Some(self.spawn(&Mounts::here(), "apiserver", self.api_server()));
    }

    /// Ends the API server as a node that loses power does. All watches end with it.
    pub(crate) fn kill_api_server(&self) {
        self.api_server.lock().unwrap().take().expect("the API server runs").kill();
    }

    /// Starts the API server, whether one runs or not.
    pub(crate) fn restart_api_server(&self) {
        drop(self.api_server.lock().unwrap().take());
        self.start_api_server();
    }

    /// Lets the API server hang: it takes connections, and does not answer.
    pub(crate) fn pause_api_server(&self) {
        self.api_server.lock().unwrap().as_ref().expect("the API server runs").pause();
    }

    pub(crate) fn resume_api_server(&self) {
        self.api_server.lock().unwrap().as_ref().expect("the API server runs").resume();
    }

    /// Starts the scheduler, unless it runs.
    pub(crate) fn with_scheduler(&self) {
        self.scheduler.get_or_init(|| {
            let mut command = kube("scheduler", &["--leader-elect=false"]);
            let identity = Identity::user("system:kube-scheduler", "system:kube-scheduler");
            self.know_the_cluster(&mut command, &identity);
            self.spawn(&Mounts::here(), "scheduler", command)
        });
    }

    /// Starts the controller manager, unless it runs: it binds claims to volumes and makes service accounts.
    pub(crate) fn with_controller_manager(&self) {
        self.manager.get_or_init(|| {
            let controllers = format!("--controllers={}", CONTROLLERS.join(","));
            let mut command = kube(
                "controller-manager",
                &[
                    "--leader-elect=false",
                    "--kube-api-qps=500",
                    "--kube-api-burst=1000",
                    "--pvclaimbinder-sync-period=5s",
                    &controllers,
                ],
            );
            let identity = Identity::user("system:kube-controller-manager", "system:masters");
            self.know_the_cluster(&mut command, &identity);
            self.spawn(&Mounts::here(), "controller-manager", command)
        });
    }

    /// Returns the last words of each program.
    pub(crate) fn said(&self) -> String {
        process::last_words(&self.dir.join("log"))
    }

    fn know_the_cluster(&self, command: &mut Command, identity: &Identity) {
        let config = self.kubeconfig(identity);
        for option in ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"]
        {
            command.arg(option).arg(&config);
        }
    }

    fn api_server(&self) -> Command {
        let mut command = kube(
            "apiserver",
            &[
                &format!("--etcd-servers={ETCD}"),
                "--advertise-address=10.96.0.1",
                "--secure-port=443",
                "--service-cluster-ip-range=10.96.0.0/16",
                // Nobody asks for the endpoints of the service.
                "--endpoint-reconciler-type=none",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                "--requestheader-allowed-names=front-proxy",
            ],
        );
        for (option, file) in [
            ("--client-ca-file", "ca.crt"),
            ("--requestheader-client-ca-file", "ca.crt"),
            ("--tls-cert-file", "server.crt"),
            ("--tls-private-key-file", "server.key"),
            ("--service-account-signing-key-file", "accounts.key"),
            ("--service-account-key-file", "accounts.pub"),
        ] {
            command.arg(option).arg(self.identities.path(file));
        }
        self.audit.ask_for_it(&mut command);
        command
    }
}

fn kube(part: &str, options: &[&str]) -> Command {
    let mut command = Command::new(program("kube"));
    command.arg(part).args(options);
    command
}

fn etcd(dir: &Path) -> Command {
    let peer = "http://127.0.0.1:2380";
    let mut command = kube(
        "etcd",
        &[
            "--name=rig",
            "--log-level=warn",
            // In memory there is nothing to wait for.
            "--unsafe-no-fsync",
            &format!("--listen-client-urls={ETCD}"),
            &format!("--advertise-client-urls={ETCD}"),
            &format!("--listen-peer-urls={peer}"),
            &format!("--initial-advertise-peer-urls={peer}"),
            &format!("--initial-cluster=rig={peer}"),
        ],
    );
    command.arg("--data-dir").arg(dir.join("etcd"));
    command
}
