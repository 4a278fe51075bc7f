//! Inline volumes: how long a pod waits for its secrets, and what many of them take of the driver's memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orlop::csi::v1;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::volume_capability::access_mode::Mode;
use orlop::csi::v1::volume_capability::{AccessMode, AccessType, MountVolume};
use orlop::ephemeral::InlineId;
use tokio::net::UnixStream;
use tonic::transport::Channel;

use crate::bench::Bench;
use crate::driver::{Driver, Result};
use crate::figure::{Bar, Figure, Measure};
use crate::memory;
use crate::pool::Pool;
use crate::rounds::millis_since;

const VOLUMES: usize = 200;
const KEYS: usize = 5000;

/// How long the driver rests before it is looked at.
const REST: Duration = Duration::from_secs(2);

/// A secret that comes with the request.
type Secrets = HashMap<String, String>;

/// A node with the role config.
struct Node {
    driver: Driver,
    client: NodeClient<Channel>,
    kubelet: PathBuf,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let node = Node::start(bench).await?;
    let large: Secrets = [("key".to_owned(), "x".repeat(1 << 20))].into();
    let many: Secrets =
        (0..KEYS).map(|number| (format!("key-{number}"), "value".to_owned())).collect();
    let mut figures = Vec::new();
    for (what, secrets, most) in [("of 1 MiB", &large, 20.0), ("of 5,000 keys", &many, 500.0)] {
        let mut all = Vec::new();
        for _ in 0..bench.rounds {
            let began = Instant::now();
            node.publish(0, secrets).await?;
            all.push(millis_since(began));
            node.unpublish(0).await?;
        }
        all.sort_by(f64::total_cmp);
        let value = all.get(all.len() / 2).copied().unwrap_or_default();
        let what = format!("publish of an inline secret {what}");
        figures.push(Figure::alone(what, Measure { value, unit: "ms" }, Bar::AtMost(most)));
    }
    let small: Secrets = [("password".to_owned(), "secret".to_owned())].into();
    for number in 0..VOLUMES {
        node.publish(number, &small).await?;
    }
    tokio::time::sleep(REST).await;
    let value = memory::of(node.driver.pid(), &format!("{VOLUMES} inline volumes"))?;
    for number in 0..VOLUMES {
        node.unpublish(number).await?;
    }
    let what = format!("resident memory with {VOLUMES} inline volumes, after all that");
    figures.push(Figure::alone(what, Measure { value, unit: "MiB" }, Bar::AtMost(16.0)));
    node.driver.stop().await?;
    Ok(figures)
}

// === impl Node ===

impl Node {
    async fn start(bench: &Bench) -> Result<Self> {
        let dir = bench.dir("inline")?;
        let pool = Pool::make(&dir, 1 << 30).await?;
        let (kubelet, socket) = (dir.join("kubelet"), dir.join("config.sock"));
        std::fs::create_dir_all(kubelet.join("pods"))?;
        let more = format!(
            "kubeletRoot: {}\nroles: {{config: {{endpoint: {}}}}}\n",
            kubelet.display(),
            socket.display()
        );
        let driver = bench.start_with(&pool, &dir, &more).await?;
        let client = NodeClient::new(connect(&socket).await?);
        let client = client.max_encoding_message_size(8 << 20);
        Ok(Self { driver, client, kubelet })
    }

    fn parent(&self, number: usize) -> PathBuf {
        self.kubelet.join(format!("pods/{}/volumes/kubernetes.io~csi/secret", uid(number)))
    }

    async fn publish(&self, number: usize, secrets: &Secrets) -> Result<()> {
        let parent = self.parent(number);
        std::fs::create_dir_all(&parent)?;
        let of_kubelet = [
            ("csi.storage.k8s.io/ephemeral", "true"),
            ("csi.storage.k8s.io/pod.name", "bench"),
            ("csi.storage.k8s.io/pod.namespace", "bench"),
            ("csi.storage.k8s.io/serviceAccount.name", "default"),
            ("kind", "secret"),
        ];
        let mut context: HashMap<_, _> =
            of_kubelet.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        context.insert("csi.storage.k8s.io/pod.uid".to_owned(), uid(number));
        let request = v1::NodePublishVolumeRequest {
            volume_id: InlineId::of(&uid(number), "secret").to_string(),
            target_path: parent.join("mount").display().to_string(),
            volume_capability: Some(v1::VolumeCapability {
                access_mode: Some(AccessMode { mode: Mode::SingleNodeWriter.into() }),
                access_type: Some(AccessType::Mount(MountVolume::default())),
            }),
            readonly: true,
            secrets: secrets.clone(),
            volume_context: context,
            ..v1::NodePublishVolumeRequest::default()
        };
        self.client.clone().node_publish_volume(request).await?;
        Ok(())
    }

    async fn unpublish(&self, number: usize) -> Result<()> {
        let request = v1::NodeUnpublishVolumeRequest {
            volume_id: InlineId::of(&uid(number), "secret").to_string(),
            target_path: self.parent(number).join("mount").display().to_string(),
        };
        self.client.clone().node_unpublish_volume(request).await?;
        Ok(())
    }
}

fn uid(number: usize) -> String {
    format!("3c57e7a7-56ac-4e3a-bb2c-{number:012}")
}

/// Connects to the socket of the role, which is there a moment after the driver's own.
async fn connect(socket: &Path) -> Result<Channel> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let began = Instant::now();
    while UnixStream::connect(socket).await.is_err() {
        if began.elapsed() > PATIENCE {
            return Err("the role config is not served".into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let endpoint = tonic::transport::Endpoint::try_from(format!("unix://{}", socket.display()))?;
    Ok(endpoint.connect().await?)
}
