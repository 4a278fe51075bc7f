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
use crate::canary::traces::{Programs, scrape};
use crate::driver::connect;
use crate::process::Process;
use crate::stand_in::{Fault, StandIn, until};

pub(super) const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";
pub(super) const APP: &str = "/api/v1/namespaces/team-a/configmaps/app";
pub(super) const DB: &str = "/api/v1/namespaces/team-a/secrets/db";
const CANARY: &str = "canary-7d01e9";

/// Starts the role over this API server.
pub(super) async fn start(node: &Node, api: &StandIn) -> Inline {
    start_with(node, api, false).await
}

/// The same, where tokens may be taken from the context.
pub(super) async fn start_with(
    node: &Node,
    api: &StandIn,
    accept_token_in_context: bool,
) -> Inline {
    let file = node.path("kubeconfig");
    api.kubeconfig(&file);
    let api = Api::new(connect_for_pods(Some(&file)).await.unwrap());
    node.start_with(Arc::new(Projections::new(Settings {
        api: Some(api),
        node: "n1".into(),
        max_bytes: Some(Bytes::mib(64)),
        accept_token_in_context,
    })))
}

pub(super) fn app() -> Volume {
    Volume { read_only: true, ..Volume::of(1) }.with("kind", "configMap").with("name", "app")
}

/// Returns what kubelet sends, with a token of this text.
pub(super) fn request(node: &Node, volume: &Volume, token: &str) -> v1::NodePublishVolumeRequest {
    let until = prost_types::Timestamp::from(SystemTime::now() + Duration::from_mins(10));
    let tokens = json!({ "": { "token": token, "expirationTimestamp": until.to_string() } });
    let secrets = [(TOKENS.to_owned(), tokens.to_string())].into();
    v1::NodePublishVolumeRequest { secrets, ..node.request(volume) }
}

pub(super) async fn publish(
    node: &Node,
    inline: &Inline,
    volume: &Volume,
    token: &str,
) -> Result<(), Status> {
    inline.node_publish_volume(Request::new(request(node, volume, token))).await.map(drop)
}

pub(super) async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

pub(super) fn text(node: &Node, volume: &Volume, file: &str) -> String {
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
fn case_113_labels_and_annotations_are_read_with_the_pods_own_token() {
    on_node(Role::Config, async |node: Node| {
        const POD: &str = "/api/v1/namespaces/team-a/pods/p";
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        let items = r#"[{"field":"metadata.labels","path":"labels"},{"field":"metadata.annotations","path":"notes"},
            {"field":"metadata.labels['app']","path":"app"},{"field":"metadata.labels['none']","path":"none"},
            {"field":"metadata.annotations['a.example/b']","path":"d/b","mode":"0400"},
            {"field":"metadata.name","path":"name"},{"field":"spec.nodeName","path":"node"}]"#;
        let info = Volume::of(1)
            .with("kind", "projected")
            .with("sources", &format!(r#"[{{"podInfo":{{"fromAPI":true,"items":{items}}}}}]"#));
        let labels = |app: &str| json!({ "app": app, "tier": "front" });
        let notes = json!({ "a.example/b": "two\nlines", "quote": "\"" });
        let (code, said) = refused(publish(&node, &inline, &info, "t").await);
        assert_eq!((code, said.as_str()), (Code::FailedPrecondition, "pod \"p\" not found"));
        api.put_pod(POD, &info.uid, &labels("web"), &notes);
        api.fail(POD, Some(Fault::Status(403)));
        let (code, said) = refused(publish(&node, &inline, &info, "t").await);
        assert_eq!(code, Code::PermissionDenied);
        assert!(said.contains("the verb get for pods and the resourceName p"), "{said}");
        api.fail(POD, None);
        api.asked();
        publish(&node, &inline, &info, "t").await.unwrap();
        assert!(api.asked().iter().all(|asked| asked.bearer == "Bearer t"));
        let shown = |file: &str| text(&node, &info, file);
        assert_eq!(shown("labels"), "app=\"web\"\ntier=\"front\"");
        assert_eq!(shown("notes"), "a.example/b=\"two\\nlines\"\nquote=\"\\\"\"");
        let one = ["app", "none", "d/b", "name", "node"].map(shown);
        assert_eq!(one, ["web", "", "two\nlines", "p", "n1"]);
        api.put_pod(POD, &info.uid, &labels("api"), &notes);
        pass(31).await;
        publish(&node, &inline, &info, "t").await.unwrap();
        assert_eq!(shown("app"), "api");
        // With the right to watch, at once; and what is the same is not written again.
        api.allow_watch();
        publish(&node, &inline, &info, "t2").await.unwrap();
        until("it is watched", || api.watching() == 1).await;
        api.put_pod(POD, &info.uid, &labels("job"), &notes);
        until("the change is shown", || shown("app") == "job").await;
        let data = fs::read_link(node.target(&info).join("..data")).unwrap();
        api.asked();
        api.put_pod(POD, &info.uid, &labels("job"), &notes);
        until("it is read", || api.asked().iter().any(|asked| !asked.is_metadata)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(fs::read_link(node.target(&info).join("..data")).unwrap(), data);
        node.unpublish(&inline, &info).await.unwrap();
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
        let programs = Programs::watched_in(&node.path("bin"));
        let config = format!(
            "kubeletRoot: {room}/kubelet\npools: [{{name: default, kind: memory, size: 1Gi}}]\n\
             cluster: {{kubeconfig: {room}/kubeconfig}}\nprogramDirs: [{room}/bin]\n\
             metrics: {{address: '127.0.0.1:0'}}\n\
             roles: {{config: {{endpoint: {room}/config.sock}}, scratch: {{endpoint: {room}/scratch.sock, path: {room}/scratch}}}}\n"
        );
        let variables =
            [("ORLOP_LOG_LEVEL", "trace,h2=trace,hyper=trace,hyper_util=trace,tower=trace")];
        let driver = Process::start(node.dir.path(), &config, &variables);
        let socket = node.path("config.sock");
        until("the role is served", || UnixStream::connect(&socket).is_ok()).await;
        let mut client = NodeClient::new(connect(socket).await);
        let mut scratch = NodeClient::new(connect(node.path("scratch.sock")).await);
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
        // What is wrong with the request itself, wherever the secret stands in it.
        for (key, text) in [
            ("items", CANARY.to_owned()),
            ("items", format!(r#"[{{"key":"k","path":"../{CANARY}"}}]"#)),
            ("defaultMode", CANARY.to_owned()),
            ("optional", CANARY.to_owned()),
            ("minRefreshInterval", CANARY.to_owned()),
        ] {
            let wrong = other("secret").with(key, &text);
            assert_eq!(
                publish(&wrong, &[("k", CANARY)]).await,
                Err(Code::InvalidArgument),
                "{key}"
            );
        }
        let none = other("secret").with("items", r#"[{"key":"x","path":"x"}]"#);
        assert_eq!(publish(&none, &[("k", CANARY)]).await, Err(Code::FailedPrecondition));
        let key = other("secret");
        assert_eq!(publish(&key, &[(&format!("../{CANARY}"), CANARY)]).await, Err(Code::Internal));
        // Programs are started for an emptyDir alone.
        let disk = Volume { name: "disk".into(), ..Volume::of(1) };
        for volume in [disk.clone(), disk.clone().with("sizeLimit", CANARY)] {
            let mut request = request(&node, &volume, &format!("token-{CANARY}"));
            request.secrets.insert("k".into(), CANARY.into());
            request.volume_context.insert(TOKENS.into(), CANARY.into());
            said.push(format!("{:?}", scratch.node_publish_volume(request).await));
        }
        assert_eq!(mounts_at(&node.target(&disk)), 1);
        let started = programs.started();
        assert!(started.contains("mkfs.ext4"), "{started}");
        assert!(!started.contains(CANARY), "{started}");
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{}/{file}", driver.pid())).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains(CANARY), "{file}");
        }
        let figures = scrape(&driver.said());
        assert!(
            figures.contains("orlop_inline_masked_errors_total{role=\"config\"} 0"),
            "{figures}"
        );
        assert!(!figures.contains(CANARY), "{figures}");
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert!(!mounts.contains(CANARY), "a mount shows the secret");
        assert!(!said.concat().contains(CANARY), "{said:?}");
        let files = all_below(&node.path("state"));
        let has = |word: &str| files.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(has("digest"), "the records are not found");
        assert!(!has(CANARY), "a record holds a secret");
        let log = driver.said();
        assert!(log.contains("TRACE") && log.contains(app().id().as_str()), "the log tells little");
        let line = log.lines().find(|line| line.contains(CANARY));
        assert!(line.is_none(), "{line:?}");
        let of_disk = v1::NodeUnpublishVolumeRequest {
            volume_id: disk.id().to_string(),
            target_path: node.target(&disk).display().to_string(),
        };
        scratch.node_unpublish_volume(of_disk).await.unwrap();
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
