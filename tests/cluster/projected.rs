//! configMap and secret volumes against the real API server: its rights, its tokens, its watches.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use orlop::cluster::client::connect_for_pods;
use orlop::ephemeral::config::{Api, Projections, Settings};
use orlop::ephemeral::{Attributes, InlineId, InlineVolume, Kept, Kind, KindName, Pod, Secrets};
use orlop::error::{Meaning, Result};
use orlop::volume::Bytes;
use rustix::mount::{MoveMountFlags, move_mount};
use serde_json::{Value, json};

use crate::rig::{self, Identity, Relay, Rig};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";

/// The role, and where it shows its volumes.
struct Node {
    kind: Projections,
    dir: tempfile::TempDir,
}

struct Seen {
    at: PathBuf,
    volume: InlineVolume,
    kept: Kept,
}

impl Node {
    /// Starts the role as one that has a kubeconfig, of which it takes the address and the authority alone.
    async fn start(rig: &Rig) -> Self {
        Self::with(&rig.kubeconfig(&Identity::Admin)).await
    }

    async fn with(file: &Path) -> Self {
        let client = connect_for_pods(Some(file)).await.unwrap();
        let settings = Settings {
            api: Some(Api::new(client)),
            node: "node".into(),
            max_bytes: Some(Bytes::mib(64)),
            accept_token_in_context: false,
        };
        Self { kind: Projections::new(settings), dir: tempfile::tempdir().unwrap() }
    }

    async fn publish(&self, volume: InlineVolume) -> Result<Seen> {
        let planned = self.kind.plan(&volume)?;
        let made = self.kind.make(&volume, planned).await?;
        let at = self.dir.path().join(volume.id.as_str());
        fs::create_dir(&at).unwrap();
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&made.mount, "", rustix::fs::CWD, &at, flags).unwrap();
        Ok(Seen { at, volume, kept: made.kept })
    }

    async fn again(&self, seen: &Seen) -> Result<()> {
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
        let root = rustix::fs::open(&seen.at, flags, rustix::fs::Mode::empty()).unwrap();
        self.kind.again(&seen.volume, &seen.kept, root).await
    }
}

impl Seen {
    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at.join(name)).unwrap()
    }
}

/// Returns a volume of a pod of the account, with this token.
fn volume(token: &str, account: &str, name: &str, attributes: &[(&str, &str)]) -> InlineVolume {
    let is_secret = attributes.iter().any(|(key, _)| *key == "secretName");
    let expires = prost_types::Timestamp::from(SystemTime::now() + Duration::from_mins(10));
    let tokens = json!({ "": { "token": token, "expirationTimestamp": expires.to_string() } });
    let key = "csi.storage.k8s.io/serviceAccount.tokens".to_owned();
    let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    InlineVolume {
        id: InlineId::of(account, name),
        kind: if is_secret { KindName::Secret } else { KindName::ConfigMap },
        pod: Pod {
            namespace: "default".into(),
            name: "web".into(),
            uid: "uid".into(),
            service_account: account.into(),
        },
        attributes: attributes.collect::<Attributes>(),
        secrets: Secrets::from(HashMap::from([(key, tokens.to_string())])),
        tokens_in_context: None,
        read_only: true,
        group: None,
        fs_type: None,
    }
}

/// Lets the account do this with this object of the default namespace, by a Role of its own name.
async fn allow(rig: &Rig, account: &str, plural: &str, name: &str, verbs: &[&str]) {
    let permission = json!({ "apiGroups": [""], "resources": [plural], "resourceNames": [name], "verbs": verbs });
    let metadata = json!({ "name": account });
    let role = json!({ "metadata": metadata, "rules": [permission] });
    rig.api.post(&format!("{RBAC}/roles"), &role).await.unwrap();
    let binding = json!({
        "metadata": metadata,
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": "default" }],
    });
    rig.api.post(&format!("{RBAC}/rolebindings"), &binding).await.unwrap();
}

async fn put(rig: &Rig, plural: &str, name: &str, fields: Value) {
    let path = format!("/api/v1/namespaces/default/{plural}");
    let mut object = fields;
    object["metadata"] = json!({ "name": name });
    if rig.api.get(&format!("{path}/{name}")).await.is_ok() {
        rig.api.patch(&format!("{path}/{name}"), &object).await.unwrap();
    } else {
        rig.api.post(&path, &object).await.unwrap();
    }
}

/// Waits until the file has this text, and returns how long that took.
async fn until(seen: &Seen, file: &str, text: &str) -> Duration {
    let began = Instant::now();
    while seen.text(file) != text {
        assert!(began.elapsed() < rig::PATIENCE, "{file} is still {:?}", seen.text(file));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

#[test]
fn the_right_to_get_is_enough_and_what_is_missing_is_named() {
    rig::shared(async |rig| {
        rig.node("projecting").await;
        rig.service_account("getter").await;
        put(
            &rig,
            "configmaps",
            "get-app",
            json!({ "data": { "a": "1" }, "binaryData": { "b": "AP8=" } }),
        )
        .await;
        let node = Node::start(&rig).await;
        let Identity::Token(token) = rig.pod_of("getter", "projecting").await else { panic!() };
        let of = |name: &str| volume(&token, "getter", name, &[("name", "get-app")]);
        let refused = node.publish(of("early")).await.err().unwrap();
        assert_eq!(refused.meaning(), Meaning::Forbidden);
        assert!(refused.sentence().contains("default/getter may not get configmap \"get-app\""));
        allow(&rig, "getter", "configmaps", "get-app", &["get"]).await;
        let began = Instant::now();
        let seen = loop {
            // The API server hears of a Role a moment later.
            match node.publish(of("conf")).await {
                Ok(seen) => break seen,
                Err(error) => assert!(began.elapsed() < rig::PATIENCE, "{}", error.sentence()),
            }
        };
        assert_eq!(seen.text("a"), "1");
        assert_eq!(fs::read(seen.at.join("b")).unwrap(), [0, 255]);
        put(&rig, "configmaps", "get-app", json!({ "data": { "a": "2" } })).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        tokio::time::resume();
        node.again(&seen).await.unwrap();
        assert_eq!(seen.text("a"), "2");
        let stranger =
            node.publish(volume("no.to.ken", "getter", "other", &[("name", "get-app")])).await;
        assert_eq!(stranger.err().unwrap().meaning(), Meaning::Unauthenticated);
    });
}

#[test]
fn where_the_pod_may_watch_changes_are_shown_at_once_over_one_connection() {
    rig::shared(async |rig| {
        rig.node("projecting-much").await;
        rig.service_account("watcher").await;
        allow(&rig, "watcher", "secrets", "watched", &["get", "list", "watch"]).await;
        put(&rig, "secrets", "watched", json!({ "data": { "a": "MA==" } })).await;
        let relay = Relay::start();
        let way = rig.cluster.identities.kubeconfig(&Identity::Admin, relay.address());
        let node = Node::with(&way).await;
        let Identity::Token(token) = rig.pod_of("watcher", "projecting-much").await else {
            panic!()
        };
        let mut all = Vec::new();
        for number in 0..20 {
            let name = format!("v{number}");
            let began = Instant::now();
            all.push(loop {
                let volume = volume(&token, "watcher", &name, &[("secretName", "watched")]);
                match node.publish(volume).await {
                    Ok(seen) => break seen,
                    Err(error) => assert!(began.elapsed() < rig::PATIENCE, "{}", error.sentence()),
                }
            });
        }
        let mut worst = Duration::ZERO;
        for (value, text) in [("MQ==", "1"), ("Mg==", "2"), ("Mw==", "3")] {
            put(&rig, "secrets", "watched", json!({ "data": { "a": value } })).await;
            let began = Instant::now();
            for seen in &all {
                until(seen, "a", text).await;
            }
            worst = worst.max(began.elapsed());
        }
        println!("20 volumes show a change after at most {worst:?}");
        assert!(worst < Duration::from_secs(2), "{worst:?}");
        assert_eq!(relay.led(), 1);
        // Without the right nothing new is shown, and nothing is lost.
        rig.api.delete(&format!("{RBAC}/rolebindings/watcher")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        put(&rig, "secrets", "watched", json!({ "data": { "a": "NA==" } })).await;
        let began = Instant::now();
        while node.kind.health(&all[0].volume.id).is_empty() {
            assert!(began.elapsed() < rig::PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(all[0].text("a"), "3");
        let said = &node.kind.health(&all[0].volume.id)[0].message;
        assert!(said.contains("default/watcher may not get secret \"watched\""), "{said}");
        for seen in &all {
            node.kind.remove(&seen.volume.id, None).await.unwrap();
        }
    });
}
