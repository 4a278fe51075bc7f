//! configMap, secret and projected volumes as kubelet asks for them.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use orlop::cluster::client::connect_for_pods;
use orlop::csi::v1;
use orlop::csi::v1::node_client::NodeClient;
use orlop::csi::v1::node_server::Node as _;
use orlop::ephemeral::config::{Api, Projections, Settings};
use orlop::ephemeral::{Inline, Role};
use orlop::sys::mount::unmount_all;
use orlop::volume::Bytes;
use serde_json::json;
use tonic::{Code, Request, Status};

use super::rig::{Node, Volume, mounts_at, on_node, refused};
use crate::driver::connect;
use crate::process::Process;
use crate::stand_in::{Fault, StandIn, until};

const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";
const APP: &str = "/api/v1/namespaces/team-a/configmaps/app";
const DB: &str = "/api/v1/namespaces/team-a/secrets/db";
const CANARY: &str = "canary-7d01e9";

/// Starts the role over this API server.
async fn start(node: &Node, api: &StandIn) -> Inline {
    let file = node.path("kubeconfig");
    api.kubeconfig(&file);
    let api = Api::new(connect_for_pods(Some(&file)).await.unwrap());
    node.start_with(Arc::new(Projections::new(Settings {
        api: Some(api),
        node: "n1".into(),
        max_bytes: Some(Bytes::mib(64)),
        accept_token_in_context: false,
    })))
}

fn app() -> Volume {
    Volume { read_only: true, ..Volume::of(1) }.with("kind", "configMap").with("name", "app")
}

/// Returns what kubelet sends, with a token of this text.
fn request(node: &Node, volume: &Volume, token: &str) -> v1::NodePublishVolumeRequest {
    let until = prost_types::Timestamp::from(SystemTime::now() + Duration::from_mins(10));
    let tokens = json!({ "": { "token": token, "expirationTimestamp": until.to_string() } });
    let secrets = [(TOKENS.to_owned(), tokens.to_string())].into();
    v1::NodePublishVolumeRequest { secrets, ..node.request(volume) }
}

async fn publish(node: &Node, inline: &Inline, volume: &Volume, token: &str) -> Result<(), Status> {
    inline.node_publish_volume(Request::new(request(node, volume, token))).await.map(drop)
}

async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

fn text(node: &Node, volume: &Volume, file: &str) -> String {
    fs::read_to_string(node.target(volume).join(file)).unwrap()
}

#[test]
fn case_008_a_kind_of_another_role_is_refused() {
    on_node(Role::Config, async |node: Node| {
        let inline = start(&node, &StandIn::start().await).await;
        for kind in ["emptyDir", "configmap", ""] {
            let volume = Volume::of(1).with("kind", kind).with("name", "app");
            let (code, said) = refused(publish(&node, &inline, &volume, "t").await);
            assert_eq!(code, Code::InvalidArgument);
            for kind in ["configMap", "secret", "projected"] {
                assert!(said.contains(kind), "{said}");
            }
        }
        node.is_clean();
    });
}

#[test]
fn case_019_a_newer_token_is_nothing_new() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        api.put(APP, json!({ "data": { "a": "1" } }));
        let inline = start(&node, &api).await;
        publish(&node, &inline, &app(), "token-1").await.unwrap();
        publish(&node, &inline, &app(), "token-2").await.unwrap();
        assert_eq!(mounts_at(&node.target(&app())), 1);
        let (code, _) =
            refused(publish(&node, &inline, &app().with("defaultMode", "0400"), "token-2").await);
        assert_eq!((code, text(&node, &app(), "a").as_str()), (Code::AlreadyExists, "1"));
        node.unpublish(&inline, &app()).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_022_what_cannot_be_read_leaves_nothing() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        for (fault, expected) in [
            (None, Code::FailedPrecondition),
            (Some(Fault::Status(403)), Code::PermissionDenied),
            (Some(Fault::Status(401)), Code::Unauthenticated),
            (Some(Fault::Status(500)), Code::Unavailable),
            (Some(Fault::Cut), Code::Unavailable),
        ] {
            api.fail(APP, fault);
            let (code, said) = refused(publish(&node, &inline, &app(), "t").await);
            assert_eq!(code, expected, "{said}");
            assert!(!node.target(&app()).exists());
            node.is_clean();
        }
    });
}

#[test]
fn case_032_after_a_reboot_the_content_is_read_again() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        api.put(APP, json!({ "data": { "a": "1" } }));
        let inline = start(&node, &api).await;
        publish(&node, &inline, &app(), "t").await.unwrap();
        drop(inline);
        unmount_all(&node.target(&app())).unwrap();
        let inline = start(&node, &api).await;
        publish(&node, &inline, &app(), "t").await.unwrap();
        assert_eq!(text(&node, &app(), "a"), "1");
        node.unpublish(&inline, &app()).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn case_092_and_120_a_publish_that_finds_no_server_is_well_and_health_tells() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        api.put(APP, json!({ "data": { "a": "1" } }));
        let inline = start(&node, &api).await;
        publish(&node, &inline, &app(), "t").await.unwrap();
        api.put(APP, json!({ "data": { "a": "2" } }));
        let health = async || {
            let request = v1::NodeGetVolumeHealthRequest {
                volume_id: app().id().to_string(),
                volume_publish_path: node.target(&app()).display().to_string(),
                ..v1::NodeGetVolumeHealthRequest::default()
            };
            let answer = inline.node_get_volume_health(Request::new(request)).await.unwrap();
            answer.into_inner().volume_health.map_or(Vec::new(), |health| health.health_statuses)
        };
        assert!(health().await.is_empty());
        for fault in [Fault::Status(500), Fault::Status(429), Fault::Status(403), Fault::Cut] {
            api.fail(APP, Some(fault));
            pass(301).await;
            publish(&node, &inline, &app(), "t").await.unwrap();
            assert_eq!(text(&node, &app(), "a"), "1");
            let found = health().await;
            assert_eq!(found[0].status, i32::from(v1::VolumeHealthErrorType::Degraded));
            assert_eq!(found[0].reason, "ContentStale");
        }
        assert_eq!(inline.masked_errors(), 4);
        api.fail(APP, None);
        pass(301).await;
        publish(&node, &inline, &app(), "t").await.unwrap();
        assert_eq!(text(&node, &app(), "a"), "2");
        assert!(health().await.is_empty());
        node.unpublish(&inline, &app()).await.unwrap();
        node.is_clean();
    });
}

/// Returns all files below a directory, one after the other.
fn all_below(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(all_below(&path));
        } else if path.is_file() {
            all.extend(fs::read(&path).unwrap());
        }
    }
    all
}

#[test]
fn case_108_and_109_no_secret_and_no_token_is_in_a_log_an_error_or_a_file() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        api.kubeconfig(&node.path("kubeconfig"));
        api.put(APP, json!({ "data": { "a": CANARY } }));
        let room = node.dir.path().display().to_string();
        let config = format!(
            "kubeletRoot: {room}/kubelet\npools: [{{name: default, kind: memory, size: 1Gi}}]\n\
             cluster: {{kubeconfig: {room}/kubeconfig}}\nroles: {{config: {{endpoint: {room}/config.sock}}}}\n"
        );
        let variables =
            [("ORLOP_LOG_LEVEL", "trace,h2=trace,hyper=trace,hyper_util=trace,tower=trace")];
        let driver = Process::start(node.dir.path(), &config, &variables);
        let socket = node.path("config.sock");
        until("the role is served", || UnixStream::connect(&socket).is_ok()).await;
        let mut client = NodeClient::new(connect(socket).await);
        let mut said = Vec::new();
        let secret = || Volume { name: "pass".into(), ..Volume::of(1) }.with("kind", "secret");
        let mut publish = async |volume: &Volume, secrets: &[(&str, &str)]| {
            let mut request = request(&node, volume, &format!("token-{CANARY}"));
            request.secrets.extend(secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
            let answer = client.node_publish_volume(request).await;
            said.push(format!("{answer:?}"));
            answer.map(drop).map_err(|status| status.code())
        };
        publish(&app(), &[]).await.unwrap();
        publish(&app(), &[]).await.unwrap();
        publish(&secret(), &[("password", CANARY)]).await.unwrap();
        assert_eq!(text(&node, &app(), "a"), CANARY);
        let other = |kind| Volume { name: "other".into(), ..Volume::of(1) }.with("kind", kind);
        let broken =
            other("secret").with("items", r#"[{"key":"k","path":"k","encoding":"base64"}]"#);
        assert_eq!(publish(&broken, &[("k", CANARY)]).await, Err(Code::InvalidArgument));
        for (fault, code) in
            [(401, Code::Unauthenticated), (403, Code::PermissionDenied), (500, Code::Unavailable)]
        {
            api.fail(DB, Some(Fault::Status(fault)));
            let denied = other("secret").with("secretName", "db").with("source", "api");
            assert_eq!(publish(&denied, &[]).await, Err(code));
        }
        api.fail(DB, None);
        api.put(DB, json!({ "data": { "k": CANARY } }));
        let unreadable = other("secret").with("secretName", "db").with("source", "api");
        assert_eq!(publish(&unreadable, &[]).await, Err(Code::Unavailable));
        assert!(!said.concat().contains(CANARY), "{said:?}");
        let files = all_below(&node.path("state"));
        let has = |word: &str| files.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(has("digest"), "the records are not found");
        assert!(!has(CANARY), "a record holds a secret");
        let log = driver.said();
        assert!(log.contains("TRACE") && log.contains(app().id().as_str()), "the log tells little");
        let line = log.lines().find(|line| line.contains(CANARY));
        assert!(line.is_none(), "{line:?}");
        for volume in [app(), secret()] {
            let request = v1::NodeUnpublishVolumeRequest {
                volume_id: volume.id().to_string(),
                target_path: node.target(&volume).display().to_string(),
            };
            client.node_unpublish_volume(request).await.unwrap();
        }
        node.is_clean();
        assert!(driver.stop().success());
    });
}
