//! configMap, secret and projected volumes on a real tmpfs, with an API server that can fail in every way.

use std::collections::HashMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use orlop::cluster::client::connect_for_pods;
use orlop::ephemeral::config::{Api, Projections, Settings};
use orlop::ephemeral::{Attributes, InlineId, InlineVolume, Kept, Kind, KindName, Pod, Secrets};
use orlop::error::{Error, Meaning, Result};
use orlop::sys::mount::DetachedMount;
use orlop::sys::mount::{MountOptions, bind, mount};
use orlop::sys::mountinfo::MountTable;
use orlop::volume::Bytes;
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, move_mount};
use serde_json::json;
use tempfile::TempDir;

use crate::stand_in::{Fault, StandIn, until};
use crate::support::in_mount_namespace;

const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";
const APP: &str = "/api/v1/namespaces/team-a/configmaps/app";
const DB: &str = "/api/v1/namespaces/team-a/secrets/db";
const CANARY: &str = "canary-5be1f2";

/// The role with its API server, and a directory for targets.
struct Rig {
    api: StandIn,
    kind: Projections,
    dir: TempDir,
}

/// What a pod says of a volume.
struct Spec {
    kind: KindName,
    attributes: Vec<(&'static str, String)>,
    secrets: HashMap<String, String>,
    group: Option<u32>,
}

/// A volume where a pod sees it.
struct Seen {
    at: PathBuf,
    id: InlineId,
    kept: Kept,
}

impl Rig {
    async fn new() -> Self {
        Self::with(None).await
    }

    async fn with(max_bytes: Option<Bytes>) -> Self {
        let api = StandIn::start().await;
        let dir = tempfile::tempdir().unwrap();
        let kind = Self::restarted(&api, dir.path(), max_bytes).await;
        Self { api, kind, dir }
    }

    async fn restarted(api: &StandIn, dir: &Path, max_bytes: Option<Bytes>) -> Projections {
        let file = dir.join("kubeconfig");
        api.kubeconfig(&file);
        let client = connect_for_pods(Some(&file)).await.unwrap();
        Projections::new(Settings {
            api: Some(Api::new(client)),
            node: "node-1".into(),
            max_bytes,
            accept_token_in_context: false,
        })
    }

    /// Publishes as the frame does.
    async fn publish(&self, name: &str, spec: &Spec) -> Result<Seen> {
        let volume = spec.volume(name);
        let planned = self.kind.plan(&volume)?;
        let made = match self.kind.make(&volume, planned).await {
            Ok(made) => made,
            Err(error) => {
                self.kind.remove(&volume.id, None).await.unwrap();
                return Err(error);
            }
        };
        let at = self.dir.path().join(name);
        fs::create_dir(&at).unwrap();
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&made.mount, "", rustix::fs::CWD, &at, flags).unwrap();
        Ok(Seen { at, id: volume.id, kept: made.kept })
    }

    async fn again(&self, name: &str, spec: &Spec, seen: &Seen) -> Result<()> {
        self.kind.again(&spec.volume(name), &seen.kept, seen.root()).await
    }

    /// Returns how many objects were looked at, and how many were read, since the last time.
    fn gets(&self) -> (usize, usize) {
        let asked = self.api.asked();
        let gets = asked.iter().filter(|asked| !asked.is_watch);
        let (metadata, whole): (Vec<_>, Vec<_>) = gets.partition(|asked| asked.is_metadata);
        (metadata.len(), whole.len())
    }

    fn stale(&self, seen: &Seen) -> Option<String> {
        self.kind.health(&seen.id).first().map(|condition| condition.message.clone())
    }
}

impl Spec {
    fn config_map() -> Self {
        Self::of(KindName::ConfigMap).with("name", "app")
    }

    fn of(kind: KindName) -> Self {
        Self { kind, attributes: Vec::new(), secrets: HashMap::new(), group: None }
            .token("token-1", 600)
    }

    fn with(mut self, key: &'static str, value: &str) -> Self {
        self.attributes.retain(|(known, _)| *known != key);
        self.attributes.push((key, value.to_owned()));
        self
    }

    fn token(mut self, token: &str, seconds: u64) -> Self {
        let until = prost_types::Timestamp::from(SystemTime::now() + Duration::from_secs(seconds));
        let entry =
            |token: String| json!({ "token": token, "expirationTimestamp": until.to_string() });
        let tokens =
            json!({ "": entry(token.to_owned()), "vault": entry(format!("{token}-vault")) });
        self.secrets.insert(TOKENS.into(), tokens.to_string());
        self
    }

    fn secret(mut self, key: &str, value: &str) -> Self {
        self.secrets.insert(key.into(), value.into());
        self
    }

    fn group(mut self, group: u32) -> Self {
        self.group = Some(group);
        self
    }

    fn volume(&self, name: &str) -> InlineVolume {
        let attributes = self.attributes.iter().map(|(k, v)| ((*k).to_owned(), v.clone()));
        InlineVolume {
            id: InlineId::of("uid-pod", name),
            kind: self.kind,
            pod: Pod {
                namespace: "team-a".into(),
                name: "web".into(),
                uid: "uid-pod".into(),
                service_account: "reader".into(),
            },
            attributes: attributes.collect::<Attributes>(),
            secrets: Secrets::from(self.secrets.clone()),
            tokens_in_context: None,
            read_only: true,
            group: self.group,
            fs_type: None,
        }
    }
}

impl Seen {
    fn root(&self) -> OwnedFd {
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
        rustix::fs::open(&self.at, flags, rustix::fs::Mode::empty()).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at.join(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.at).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.starts_with(".."));
        names.sort();
        names
    }

    fn data(&self) -> PathBuf {
        fs::read_link(self.at.join("..data")).unwrap()
    }

    fn mode(&self, name: &str) -> (u32, u32) {
        let found = fs::metadata(self.at.join(name)).unwrap();
        (found.permissions().mode() & 0o7777, found.gid())
    }
}

/// Runs a test on one thread that has a mount namespace of its own.
fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    in_mount_namespace();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test());
}

/// Lets so many seconds pass at once.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

fn config_map(value: &str) -> serde_json::Value {
    json!({ "data": { "a": value, "b": value } })
}

fn meaning(answer: Result<impl Sized>) -> (Meaning, String) {
    let error: Error = answer.err().expect("it must fail");
    (error.meaning(), error.sentence())
}

#[test]
fn case_079_a_config_map_is_shown_as_kubernetes_shows_it() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api
            .put(APP, json!({ "data": { "app.toml": "x = 1" }, "binaryData": { "logo": "AP8=" } }));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        assert_eq!(seen.names(), ["app.toml", "logo"]);
        assert_eq!(seen.text("app.toml"), "x = 1");
        assert_eq!(fs::read(seen.at.join("logo")).unwrap(), [0, 255]);
        assert_eq!(fs::read_link(seen.at.join("logo")).unwrap(), Path::new("..data/logo"));
        assert_eq!(
            (seen.mode("logo"), seen.mode("..data"), seen.mode("")),
            ((0o644, 0), (0o755, 0), (0o777, 0))
        );
        let asked = rig.api.asked();
        let asked: Vec<_> = asked.iter().filter(|asked| !asked.is_watch).collect();
        assert_eq!(asked.len(), 1);
        assert_eq!((asked[0].path.as_str(), asked[0].bearer.as_str()), (APP, "Bearer token-1"));
    });
}

#[test]
fn case_006_a_namespace_that_is_a_path_reaches_nothing() {
    run(|| async {
        let rig = Rig::new().await;
        for namespace in ["", "../x", "a/b", "a?b", "kube-system/secrets/x?"] {
            let mut volume = Spec::config_map().volume("conf");
            volume.pod.namespace = namespace.to_owned();
            let planned = rig.kind.plan(&volume).unwrap();
            let (meaning, said) = meaning(rig.kind.make(&volume, planned).await);
            assert_eq!(meaning, Meaning::Invalid, "{said}");
        }
        assert!(rig.api.asked().is_empty());
    });
}

#[test]
fn case_017_a_thousand_publishes_ask_for_an_object_once_in_an_interval() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        assert_eq!(rig.gets(), (0, 1));
        for _ in 0..1000 {
            rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        }
        assert_eq!(rig.gets(), (0, 0));
        pass(31).await;
        for _ in 0..1000 {
            rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        }
        assert_eq!(rig.gets(), (1, 0));
    });
}

#[test]
fn case_031_a_driver_that_was_restarted_goes_on_with_what_is_mounted() {
    run(|| async {
        let mut rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        let data = seen.data();
        rig.kind = Rig::restarted(&rig.api, rig.dir.path(), None).await;
        rig.kind.recall(&seen.id, &seen.kept);
        rig.gets();
        // It remembers nothing: all is read once, and nothing is written that is the same.
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        assert_eq!((rig.gets(), seen.data()), ((0, 1), data));
        rig.api.put(APP, config_map("2"));
        pass(31).await;
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        assert_eq!((rig.gets(), seen.text("a")), ((1, 1), "2".to_owned()));
    });
}

#[test]
fn case_081_an_object_that_is_missing_is_an_error_until_it_is_there() {
    run(|| async {
        let rig = Rig::new().await;
        let (what, said) = meaning(rig.publish("conf", &Spec::config_map()).await);
        assert_eq!((what, said.as_str()), (Meaning::Unfit, "configmap \"app\" not found"));
        assert_eq!(fs::read_dir(rig.dir.path()).unwrap().count(), 1, "the kubeconfig alone");
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        assert_eq!(seen.names(), ["a", "b"]);
    });
}

#[test]
fn case_082_an_object_that_may_be_missing_appears_later() {
    run(|| async {
        let rig = Rig::new().await;
        let spec = Spec::config_map().with("optional", "true");
        let seen = rig.publish("conf", &spec).await.unwrap();
        assert!(seen.names().is_empty());
        rig.api.put(APP, config_map("1"));
        rig.again("conf", &spec, &seen).await.unwrap();
        assert!(seen.names().is_empty(), "the interval is not over");
        pass(31).await;
        rig.again("conf", &spec, &seen).await.unwrap();
        assert_eq!(seen.names(), ["a", "b"]);
        rig.api.delete(APP);
        pass(31).await;
        rig.again("conf", &spec, &seen).await.unwrap();
        assert!(seen.names().is_empty());
        assert_eq!(rig.stale(&seen), None);
    });
}

#[test]
fn case_086_a_change_is_shown_after_the_interval() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let spec = Spec::config_map().with("minRefreshInterval", "1m");
        let seen = rig.publish("conf", &spec).await.unwrap();
        rig.api.put(APP, config_map("2"));
        pass(59).await;
        rig.again("conf", &spec, &seen).await.unwrap();
        assert_eq!(seen.text("a"), "1");
        let old = seen.data();
        pass(2).await;
        rig.again("conf", &spec, &seen).await.unwrap();
        assert_eq!((seen.text("a"), seen.text("b")), ("2".to_owned(), "2".to_owned()));
        assert_ne!(seen.data(), old);
        assert!(!seen.at.join(old).exists());
    });
}

#[test]
fn case_088_an_object_that_is_the_same_is_not_read_again() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        let before =
            (seen.data(), fs::symlink_metadata(seen.at.join("..data")).unwrap().mtime_nsec());
        rig.gets();
        for _ in 0..3 {
            pass(31).await;
            rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        }
        assert_eq!(rig.gets(), (3, 0));
        // Something about it has changed, but not its content.
        rig.api.put(APP, config_map("1"));
        pass(31).await;
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        assert_eq!(rig.gets(), (1, 1));
        let after =
            (seen.data(), fs::symlink_metadata(seen.at.join("..data")).unwrap().mtime_nsec());
        assert_eq!(before, after);
    });
}

#[test]
fn case_089_a_link_that_is_gone_is_there_again() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        let twin = DetachedMount::writable_twin(seen.root()).unwrap();
        twin.open_root("twin").unwrap().remove_file("a").unwrap();
        assert_eq!(seen.names(), ["b"]);
        pass(31).await;
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        assert_eq!(seen.names(), ["a", "b"]);
    });
}

#[test]
fn case_091_without_room_the_old_content_stays() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        let twin = DetachedMount::writable_twin(seen.root()).unwrap().open_root("twin").unwrap();
        let full = twin.create_file(
            "full",
            &vec![0; 200 << 20],
            orlop::sys::beneath::Access { mode: 0o600, group: None },
        );
        assert!(full.unwrap_err().is_no_space());
        let before = fs::read_dir(&seen.at).unwrap().count();
        rig.api.put(APP, json!({ "data": { "a": "x".repeat(100_000) } }));
        pass(31).await;
        let (what, said) = meaning(rig.again("conf", &Spec::config_map(), &seen).await);
        assert_eq!(what, Meaning::Internal, "{said}");
        assert_eq!((seen.text("a"), seen.text("b")), ("1".to_owned(), "1".to_owned()));
        assert_eq!(fs::read_dir(&seen.at).unwrap().count(), before, "nothing half written is left");
        assert!(rig.stale(&seen).unwrap().contains("No space left"));
        twin.remove_file("full").unwrap();
        pass(31).await;
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        assert_eq!((seen.text("a").len(), rig.stale(&seen)), (100_000, None));
    });
}

#[test]
fn case_092_without_the_api_server_nothing_new_is_published_and_what_is_there_stays() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        rig.api.fail(APP, Some(Fault::Cut));
        let (what, said) = meaning(rig.publish("other", &Spec::config_map()).await);
        assert_eq!(what, Meaning::Unreachable, "{said}");
        pass(31).await;
        let (what, said) = meaning(rig.again("conf", &Spec::config_map(), &seen).await);
        assert_eq!(what, Meaning::Unreachable, "{said}");
        assert_eq!(seen.text("a"), "1");
        assert!(
            rig.stale(&seen)
                .unwrap()
                .contains("the API server for configmap \"app\" cannot be reached")
        );
    });
}

#[test]
fn case_093_a_server_with_too_much_to_do_is_left_alone() {
    run(|| async {
        for fault in [Fault::Status(500), Fault::Status(429), Fault::RetryAfter(429, 100)] {
            let rig = Rig::new().await;
            rig.api.put(APP, config_map("1"));
            let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
            rig.api.put(APP, config_map("2"));
            rig.api.fail(APP, Some(fault));
            rig.gets();
            pass(31).await;
            let mut asked = Vec::new();
            for _ in 0..10 {
                let (what, _) = meaning(rig.again("conf", &Spec::config_map(), &seen).await);
                assert_eq!(what, Meaning::Unreachable);
                asked.push(rig.gets().0);
                pass(31).await;
            }
            assert_eq!(seen.text("a"), "1");
            let expected = if matches!(fault, Fault::RetryAfter(..)) {
                [1, 0, 0, 0, 1, 0, 0, 0, 1, 0]
            } else {
                [1, 1, 0, 1, 0, 0, 0, 1, 0, 0]
            };
            assert_eq!(asked, expected, "{fault:?}");
            rig.api.fail(APP, None);
            pass(301).await;
            rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
            assert_eq!((seen.text("a"), rig.stale(&seen)), ("2".to_owned(), None));
        }
    });
}

#[test]
fn case_093_a_server_that_does_not_answer_is_given_up() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        rig.api.fail(APP, Some(Fault::Silence));
        let began = Instant::now();
        let (what, said) = meaning(rig.publish("conf", &Spec::config_map()).await);
        assert_eq!(what, Meaning::Unreachable, "{said}");
        assert!(said.contains("did not answer within 10 s"), "{said}");
        assert!(began.elapsed() < Duration::from_secs(15));
    });
}

#[test]
fn case_094_a_right_that_is_missing_is_named_and_is_no_absence() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        rig.api.fail(APP, Some(Fault::Status(403)));
        for optional in ["false", "true"] {
            let spec = Spec::config_map().with("optional", optional);
            let (what, said) = meaning(rig.publish("conf", &spec).await);
            let expected = "service account team-a/reader may not get configmap \"app\": bind it to a Role in namespace team-a with the verb get for configmaps and the resourceName app";
            assert_eq!((what, said.as_str()), (Meaning::Forbidden, expected));
        }
    });
}

#[test]
fn case_095_what_may_not_be_read_any_more_stays_or_goes_as_the_user_wants() {
    run(|| async {
        for (wish, left) in [("keep", 2), ("remove", 0)] {
            let rig = Rig::new().await;
            rig.api.put(APP, config_map("1"));
            let spec = Spec::config_map().with("onRevoke", wish);
            let seen = rig.publish("conf", &spec).await.unwrap();
            rig.api.fail(APP, Some(Fault::Status(403)));
            pass(31).await;
            let (what, _) = meaning(rig.again("conf", &spec, &seen).await);
            assert_eq!((what, seen.names().len()), (Meaning::Forbidden, left), "{wish}");
            assert!(rig.stale(&seen).unwrap().contains("may not get configmap"));
            rig.api.fail(APP, None);
            pass(301).await;
            rig.again("conf", &spec, &seen).await.unwrap();
            assert_eq!((seen.names().len(), rig.stale(&seen)), (2, None), "{wish}");
        }
    });
}

#[test]
fn case_096_an_object_that_was_made_anew_is_another_one() {
    run(|| async {
        let rig = Rig::new().await;
        let immutable = |value: &str| json!({ "immutable": true, "data": { "a": value } });
        rig.api.put(APP, immutable("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        rig.api.delete(APP);
        rig.api.put_as(APP, "uid-2", immutable("2"));
        pass(301).await;
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        assert_eq!(seen.text("a"), "2");
    });
}

#[test]
fn case_097_what_never_changes_is_hardly_ever_asked_for() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, json!({ "immutable": true, "data": { "a": "1" } }));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        assert_eq!(rig.gets(), (0, 1));
        for _ in 0..100 {
            pass(3).await;
            rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        }
        assert_eq!(rig.gets(), (1, 0));
    });
}

#[test]
fn case_098_nobody_writes_to_what_a_pod_sees() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        let file = seen.at.join("a");
        let refused = |answer: std::io::Result<()>| {
            assert_eq!(Errno::from_io_error(&answer.unwrap_err()), Some(Errno::ROFS));
        };
        refused(fs::write(&file, "x"));
        refused(fs::write(seen.at.join("new"), "x"));
        refused(fs::rename(&file, seen.at.join("c")));
        refused(fs::remove_file(&file));
        refused(fs::set_permissions(&file, fs::Permissions::from_mode(0o777)));
        refused(fs::create_dir(seen.at.join("d")));
    });
}

#[test]
fn case_100_an_object_of_a_mebibyte_is_shown_and_changed() {
    run(|| async {
        let rig = Rig::new().await;
        let bytes = "eHh4".repeat((1 << 20) / 3);
        rig.api.put(DB, json!({ "data": { "big": bytes } }));
        let spec = Spec::of(KindName::Secret).with("secretName", "db");
        let began = Instant::now();
        let seen = rig.publish("db", &spec).await.unwrap();
        println!("1 MiB: {:?}", began.elapsed());
        assert_eq!(seen.text("big").len(), 3 * ((1 << 20) / 3));
        rig.api.put(DB, json!({ "data": { "big": "eXl5".repeat((1 << 20) / 3) } }));
        pass(31).await;
        rig.again("db", &spec, &seen).await.unwrap();
        assert!(seen.text("big").starts_with("yyy"));
    });
}

#[test]
fn case_101_five_thousand_keys_are_five_thousand_files() {
    run(|| async {
        let rig = Rig::new().await;
        let data: HashMap<String, String> =
            (0..5000).map(|number| (format!("key-{number}"), "value".to_owned())).collect();
        rig.api.put(APP, json!({ "data": data }));
        let began = Instant::now();
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        println!("5,000 keys: {:?}", began.elapsed());
        assert_eq!(seen.names().len(), 5000);
    });
}

#[test]
fn case_102_a_secret_that_comes_with_the_request_needs_no_api() {
    run(|| async {
        let rig = Rig::new().await;
        let spec =
            Spec::of(KindName::Secret).secret("password", CANARY).with("defaultMode", "0400");
        let seen = rig.publish("db", &spec).await.unwrap();
        assert_eq!(seen.names(), ["password"]);
        assert_eq!((seen.text("password").as_str(), seen.mode("password")), (CANARY, (0o400, 0)));
        assert_eq!(seen.mode("").0, 0o1777);
        // A rotation is shown with the next publish.
        let spec = spec.secret("password", "rotated").secret("user", "u");
        rig.again("db", &spec, &seen).await.unwrap();
        assert_eq!((seen.text("password").as_str(), seen.names().len()), ("rotated", 2));
        assert!(rig.api.asked().is_empty());
    });
}

#[test]
fn case_103_bytes_come_in_base64_and_a_mistake_is_not_told() {
    run(|| async {
        let rig = Rig::new().await;
        let items = r#"[{"key":"p12","path":"tls.p12","encoding":"base64"}]"#;
        let spec = Spec::of(KindName::Secret).with("items", items);
        let seen = rig.publish("db", &spec.secret("p12", "AP8=")).await.unwrap();
        assert_eq!(fs::read(seen.at.join("tls.p12")).unwrap(), [0, 255]);
        let spec = Spec::of(KindName::Secret).with("items", items).secret("p12", CANARY);
        let (what, said) = meaning(rig.publish("bad", &spec).await);
        assert_eq!(
            (what, said.as_str()),
            (Meaning::Invalid, "secrets: the value of p12 is no base64")
        );
    });
}

#[test]
fn case_104_a_secret_lies_in_memory_that_is_never_swapped() {
    run(|| async {
        let rig = Rig::new().await;
        let spec = Spec::of(KindName::Secret).secret("password", CANARY);
        let seen = rig.publish("db", &spec).await.unwrap();
        let table = MountTable::read().unwrap();
        let mount = table.iter().find(|mount| mount.at == seen.at).unwrap();
        assert_eq!(mount.fs_type, "tmpfs");
        for option in ["ro", "nosuid", "nodev", "noexec"] {
            assert!(mount.options.has(option), "{option}: {mount:?}");
        }
        assert!(mount.super_options.has("noswap"), "{mount:?}");
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map().with("exec", "true")).await.unwrap();
        let table = MountTable::read().unwrap();
        let mount = table.iter().find(|mount| mount.at == seen.at).unwrap();
        assert!(!mount.options.has("noexec") && mount.options.has("nosuid"), "{mount:?}");
    });
}

#[test]
fn case_105_a_token_is_taken_where_no_user_can_write() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let mut volume = Spec::config_map().volume("conf");
        let token = volume.secrets.take(TOKENS);
        let (what, said) = meaning(rig.kind.plan(&volume));
        assert_eq!(what, Meaning::Unauthenticated);
        assert!(said.contains("hands over no token"), "{said}");
        volume.tokens_in_context = token;
        let (what, said) = meaning(rig.kind.plan(&volume));
        assert_eq!(what, Meaning::Unauthenticated);
        assert!(said.contains("serviceAccountTokenInSecrets"), "{said}");
    });
}

#[test]
fn case_107_a_token_that_has_expired_leaves_the_content_and_the_next_one_heals() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        rig.api.put(APP, config_map("2"));
        rig.api.fail(APP, Some(Fault::Status(401)));
        pass(31).await;
        let (what, said) = meaning(rig.again("conf", &Spec::config_map(), &seen).await);
        assert_eq!(what, Meaning::Unauthenticated, "{said}");
        assert_eq!(seen.text("a"), "1");
        rig.api.fail(APP, None);
        // At once, not after a pause.
        rig.again("conf", &Spec::config_map().token("token-2", 600), &seen).await.unwrap();
        assert_eq!((seen.text("a"), rig.stale(&seen)), ("2".to_owned(), None));
        assert_eq!(rig.api.asked().last().unwrap().bearer, "Bearer token-2");
    });
}

const THREE: &str = r#"[{"configMap":{"name":"app"}},{"secret":{"name":"db"}},
    {"podInfo":{"items":[{"field":"metadata.name","path":"pod/name"},{"field":"spec.nodeName","path":"pod/node"}]}}]"#;

#[test]
fn case_112_what_is_wrong_with_several_sources_is_told_together() {
    run(|| async {
        let rig = Rig::new().await;
        let spec = Spec::of(KindName::Projected).with("sources", THREE);
        let (what, said) = meaning(rig.publish("all", &spec).await);
        assert_eq!(
            (what, said.as_str()),
            (Meaning::Unfit, "configmap \"app\" not found; secret \"db\" not found")
        );
        rig.api.put(APP, config_map("1"));
        rig.api.put(DB, json!({ "data": { "password": "eHh4" } }));
        let seen = rig.publish("all", &spec).await.unwrap();
        rig.api.put(APP, config_map("2"));
        rig.api.fail(DB, Some(Fault::Status(403)));
        pass(31).await;
        rig.again("all", &spec, &seen).await.unwrap_err();
        assert_eq!(seen.text("a"), "1", "nothing is written unless all is known");
    });
}

#[test]
fn case_113_a_projection_shows_all_its_sources() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        rig.api.put(DB, json!({ "data": { "password": "eHh4" } }));
        let spec = Spec::of(KindName::Projected).with("sources", THREE);
        let seen = rig.publish("all", &spec).await.unwrap();
        assert_eq!(seen.names(), ["a", "b", "password", "pod"]);
        let texts = ["password", "pod/name", "pod/node"].map(|name| seen.text(name));
        assert_eq!(texts, ["xxx", "web", "node-1"]);
        rig.gets();
        // Only what has changed is read; the rest is taken from the volume.
        rig.api.put(APP, json!({ "data": { "c": "2" } }));
        pass(31).await;
        rig.again("all", &spec, &seen).await.unwrap();
        assert_eq!(rig.gets(), (2, 1));
        assert_eq!(seen.names(), ["c", "password", "pod"]);
        assert_eq!(
            (seen.text("c"), seen.text("password"), seen.text("pod/name")),
            ("2".into(), "xxx".into(), "web".into())
        );
        assert_eq!(seen.mode("password"), (0o644, 0));
    });
}

#[test]
fn case_114_a_token_is_written_anew_when_there_is_a_newer_one() {
    run(|| async {
        let rig = Rig::new().await;
        let sources = r#"[{"serviceAccountToken":{"audience":"vault","path":"token"}}]"#;
        let spec = || Spec::of(KindName::Projected).with("sources", sources);
        let seen = rig.publish("t", &spec()).await.unwrap();
        assert_eq!(
            (seen.text("token").as_str(), seen.mode("token")),
            ("token-1-vault", (0o600, 0))
        );
        rig.again("t", &spec().token("token-2", 600), &seen).await.unwrap();
        assert_eq!(
            (seen.text("token").as_str(), seen.mode("token")),
            ("token-2-vault", (0o600, 0))
        );
        let grouped = rig.publish("g", &spec().group(2000)).await.unwrap();
        assert_eq!(grouped.mode("token"), (0o640, 2000));
        let other = r#"[{"serviceAccountToken":{"audience":"other","path":"token"}}]"#;
        let (what, said) = meaning(rig.publish("o", &spec().with("sources", other)).await);
        assert_eq!(what, Meaning::Unauthenticated);
        assert!(said.contains("no token for the audience \"other\""), "{said}");
        assert!(rig.api.asked().is_empty());
    });
}

#[test]
fn case_115_the_pods_group_may_read_everything() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let items = r#"[{"key":"a","path":"d/a","mode":"0400"},{"key":"b","path":"b"}]"#;
        let spec = Spec::config_map().with("items", items).group(2000);
        let seen = rig.publish("conf", &spec).await.unwrap();
        let modes = ["d/a", "b", "d", "..data", ""].map(|name| seen.mode(name));
        assert_eq!(
            modes,
            [(0o440, 2000), (0o644, 2000), (0o2755, 2000), (0o2755, 2000), (0o2777, 2000)]
        );
        for link in ["b", "d", "..data"] {
            assert_eq!(fs::symlink_metadata(seen.at.join(link)).unwrap().gid(), 2000, "{link}");
        }
        rig.api.put(APP, config_map("2"));
        pass(31).await;
        rig.again("conf", &spec, &seen).await.unwrap();
        let modes = ["d/a", "b", "d", "..data", ""].map(|name| seen.mode(name));
        assert_eq!(
            modes,
            [(0o440, 2000), (0o644, 2000), (0o2755, 2000), (0o2755, 2000), (0o2777, 2000)]
        );
    });
}

#[test]
fn case_117_a_single_file_that_was_mounted_elsewhere_stays_as_it_was() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        let sub = rig.dir.path().join("sub-path");
        fs::write(&sub, "").unwrap();
        bind(&seen.at.join("a"), &sub, &MountOptions::default()).unwrap();
        rig.api.put(APP, config_map("2"));
        pass(31).await;
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        assert_eq!((seen.text("a"), fs::read_to_string(&sub).unwrap()), ("2".into(), "1".into()));
    });
}

#[test]
fn case_118_another_volume_can_be_mounted_inside() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let spec = Spec::config_map().with("nestedDirs", r#"["sub/deep"]"#);
        let seen = rig.publish("conf", &spec).await.unwrap();
        assert_eq!(seen.mode("sub"), (0o755, 0));
        mount("tmpfs", Path::new("inner"), &seen.at.join("sub/deep"), &MountOptions::default())
            .unwrap();
        fs::write(seen.at.join("sub/deep/x"), "x").unwrap();
        rig.api.put(APP, config_map("2"));
        pass(31).await;
        rig.again("conf", &spec, &seen).await.unwrap();
        assert_eq!((seen.text("a"), seen.text("sub/deep/x")), ("2".into(), "x".into()));
    });
}

#[test]
fn case_119_what_is_not_to_be_refreshed_stays_as_it_was() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.allow_watch();
        rig.api.put(APP, config_map("1"));
        let spec = Spec::config_map().with("refresh", "false");
        let seen = rig.publish("conf", &spec).await.unwrap();
        rig.api.put(APP, config_map("2"));
        rig.api.asked();
        pass(86_400).await;
        rig.again("conf", &spec, &seen).await.unwrap();
        assert_eq!((seen.text("a").as_str(), rig.api.asked().len()), ("1", 0));
    });
}

#[test]
fn case_120_health_tells_what_is_stale_and_for_how_long() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        assert!(rig.kind.health(&seen.id).is_empty());
        rig.api.fail(APP, Some(Fault::Status(503)));
        pass(31).await;
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap_err();
        pass(90).await;
        let conditions = rig.kind.health(&seen.id);
        assert_eq!(conditions[0].to_string(), "degraded: ContentStale");
        let said = &conditions[0].message;
        assert!(said.contains("for 90 s") && said.contains("503"), "{said}");
        rig.api.fail(APP, None);
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        assert!(rig.kind.health(&seen.id).is_empty());
    });
}

#[test]
fn a_budget_bounds_what_all_volumes_have_together() {
    run(|| async {
        let rig = Rig::with(Some(Bytes(64 << 10))).await;
        let big = |length| json!({ "data": { "a": "x".repeat(length) } });
        rig.api.put(APP, big(40_000));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        let (what, said) = meaning(rig.publish("more", &Spec::config_map()).await);
        assert_eq!(what, Meaning::Exhausted, "{said}");
        assert!(said.contains("roles.config.maxBytes"), "{said}");
        // A change that is too much leaves what is there.
        rig.api.put(APP, big(100_000));
        pass(31).await;
        let (what, _) = meaning(rig.again("conf", &Spec::config_map(), &seen).await);
        assert_eq!((what, seen.text("a").len()), (Meaning::Exhausted, 40_000));
        rig.kind.remove(&seen.id, Some(&seen.kept)).await.unwrap();
        rig.api.put(APP, big(40_000));
        rig.publish("more", &Spec::config_map()).await.unwrap();
    });
}

#[test]
fn a_change_is_seen_within_two_seconds_where_the_pod_may_watch() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.allow_watch();
        rig.api.put(APP, config_map("0"));
        let seen = rig.publish("conf", &Spec::config_map()).await.unwrap();
        until("it is watched", || rig.api.watching() == 1).await;
        let mut worst = Duration::ZERO;
        for round in 1..=5 {
            let value = round.to_string();
            let began = Instant::now();
            rig.api.put(APP, config_map(&value));
            until("the change is shown", || seen.text("a") == value).await;
            worst = worst.max(began.elapsed());
        }
        println!("a change is seen after at most {worst:?}");
        assert!(worst < Duration::from_secs(2), "{worst:?}");
        // What is heard of need not be looked for.
        rig.gets();
        pass(31).await;
        rig.again("conf", &Spec::config_map(), &seen).await.unwrap();
        assert_eq!(rig.gets(), (0, 0));
        rig.kind.remove(&seen.id, None).await.unwrap();
        until("nobody watches", || rig.api.watching() == 0).await;
    });
}

#[test]
fn a_volume_that_is_not_watched_any_more_is_looked_at_again() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.allow_watch();
        rig.api.put(APP, config_map("1"));
        // The token lives for a second longer than it is used.
        let spec = Spec::config_map().token("short", 6);
        let seen = rig.publish("conf", &spec).await.unwrap();
        until("it is watched", || rig.api.watching() == 1).await;
        let length = rig.api.asked().iter().filter(|asked| asked.is_watch).count();
        assert_eq!(length, 1);
        // A new token gets a new watch in place of the old one.
        rig.again("conf", &Spec::config_map().token("long", 600), &seen).await.unwrap();
        until("the new token is used", || {
            rig.api.asked().iter().any(|asked| asked.is_watch && asked.bearer == "Bearer long")
        })
        .await;
        until("the old watch is over", || rig.api.watching() == 1).await;
        rig.api.put(APP, config_map("2"));
        until("the change is shown", || seen.text("a") == "2").await;
    });
}

#[test]
fn what_was_deleted_before_it_is_watched_is_found_missing() {
    run(|| async {
        let rig = Rig::new().await;
        rig.api.put(APP, config_map("1"));
        let spec = Spec::config_map().with("optional", "true");
        let seen = rig.publish("conf", &spec).await.unwrap();
        rig.api.delete(APP);
        rig.api.allow_watch();
        rig.again(
            "conf",
            &Spec::config_map().with("optional", "true").token("token-2", 600),
            &seen,
        )
        .await
        .unwrap();
        until("nothing is shown", || seen.names().is_empty()).await;
        rig.api.put(APP, config_map("2"));
        until("it is there again", || seen.names() == ["a", "b"]).await;
    });
}

/// Plants links to the victim wherever the writer looks, as often as it can, until it is told to stop.
fn attack(twin: &Path, victim: &Path, stop: &AtomicBool) -> usize {
    let mut planted = 0;
    let of_time = twin.join("..2026_01_02_03_04_05.123");
    while !stop.load(Ordering::Relaxed) {
        let mut plant = |link: &Path| {
            if fs::rename(link, twin.join("moved")).is_ok() {
                fs::remove_dir_all(twin.join("moved"))
                    .or_else(|_| fs::remove_file(twin.join("moved")))
                    .ok();
            }
            planted += usize::from(symlink(victim, link).is_ok());
        };
        plant(&of_time);
        if let Ok(data) = fs::read_link(twin.join("..data")) {
            plant(&twin.join(&data).join("d"));
            plant(&twin.join(data));
        }
        for name in ["..data", "..data_tmp", "d", "a"] {
            plant(&twin.join(name));
        }
    }
    planted
}

#[test]
fn case_099_links_that_are_swapped_in_all_the_time_lead_the_writer_nowhere() {
    run(|| async {
        let rig = Rig::new().await;
        let items = r#"[{"key":"a","path":"d/precious"},{"key":"a","path":"d/x/y"},{"key":"b","path":"a"}]"#;
        let spec = Spec::config_map().with("items", items);
        rig.api.put(APP, config_map("0"));
        let seen = rig.publish("conf", &spec).await.unwrap();
        let victim = rig.dir.path().join("victim");
        fs::create_dir_all(victim.join("d/x")).unwrap();
        for file in ["precious", "d/precious", "d/x/y", "a"] {
            fs::write(victim.join(file), "precious").unwrap();
        }
        let before = fs::metadata(&victim).unwrap();
        let twin = DetachedMount::writable_twin(seen.root()).unwrap();
        let root = twin.root().display().to_string().replace("thread-self", "self");
        let stop = Arc::new(AtomicBool::new(false));
        let (path, of, told) = (PathBuf::from(root), victim.clone(), Arc::clone(&stop));
        let attacker = std::thread::spawn(move || attack(&path, &of, &told));
        let (began, mut written) = (Instant::now(), 0);
        while began.elapsed() < Duration::from_secs(10) {
            rig.api.put(APP, config_map(&written.to_string()));
            pass(301).await;
            written += usize::from(rig.again("conf", &spec, &seen).await.is_ok());
        }
        stop.store(true, Ordering::Relaxed);
        let planted = attacker.join().unwrap();
        println!("{planted} links planted, {written} changes written");
        assert!(planted > 1000 && written > 0, "{planted} {written}");
        for file in ["precious", "d/precious", "d/x/y", "a"] {
            assert_eq!(fs::read_to_string(victim.join(file)).unwrap(), "precious", "{file}");
        }
        let after = fs::metadata(&victim).unwrap();
        assert_eq!((before.mode(), before.mtime_nsec()), (after.mode(), after.mtime_nsec()));
        assert_eq!(fs::read_dir(victim.join("d")).unwrap().count(), 2);
    });
}
