//! Out of a projection, and at what it shows: objects, tokens, and what is planted in the volume.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use orlop::csi::v1;
use orlop::csi::v1::node_server::Node as _;
use orlop::ephemeral::Role;
use orlop::sys::mount::{self, DetachedMount, MountOptions};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use tonic::{Code, Request};

use super::super::config::{APP, DB, TOKENS, app, pass, publish, request, start, start_with, text};
use super::super::rig::{Node, Volume, mounts_at, on_node, refused};
use super::Victim;
use crate::stand_in::{Fault, StandIn};
use crate::support::{Mounted, take_away};

fn secret() -> Volume {
    Volume { read_only: true, ..Volume::of(1) }.with("kind", "secret")
}

fn projected(sources: &str) -> Volume {
    Volume { read_only: true, ..Volume::of(1) }.with("kind", "projected").with("sources", sources)
}

#[test]
fn attack_keys_of_objects_that_are_paths() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        let victim = Victim::of(&node);
        let long = "k".repeat(256);
        let up = format!("{}{}/precious", "../".repeat(20), victim.path().display());
        for key in [
            "../../x",
            &up,
            "/etc/x",
            "..data",
            "..data/x",
            "..data_tmp",
            "..2026_11_26_12_44_30.1",
            "a/../../x",
            "..",
            ".",
            "",
            "/",
            "a\0b",
            &long,
        ] {
            // An API server that says what no API server says.
            api.put(APP, json!({ "data": { key: "planted", "good": "1" } }));
            assert!(publish(&node, &inline, &app(), "t").await.is_err(), "{key:?}");
            node.is_clean();
            // And kubelet.
            let mut by_reference = request(&node, &secret(), "t");
            by_reference.secrets.insert(key.to_owned(), "planted".to_owned());
            let answer = inline.node_publish_volume(Request::new(by_reference)).await;
            assert!(answer.is_err(), "{key:?}");
            node.is_clean();
            victim.is_untouched(key);
        }
        // What is wrong when it changes leaves what is there.
        api.put(APP, json!({ "data": { "good": "1" } }));
        publish(&node, &inline, &app(), "t").await.unwrap();
        api.put(APP, json!({ "data": { "good": "2", "../x": "planted" } }));
        pass(31).await;
        publish(&node, &inline, &app(), "t").await.unwrap();
        assert_eq!(text(&node, &app(), "good"), "1");
        node.unpublish(&inline, &app()).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_paths_of_items_that_lead_out() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        api.put(APP, json!({ "data": { "a": "1" } }));
        let victim = Victim::of(&node);
        let out = format!("{}{}", "../".repeat(20), victim.join("planted").display());
        let paths = [
            "../x",
            "/x",
            "a/../b",
            "a/../../x",
            "..data",
            "..data/a",
            "..x",
            "",
            ".",
            "..",
            "a\\u0000b",
            &out,
        ];
        for path in paths {
            let items = format!(r#"[{{"key":"a","path":"{path}"}}]"#);
            let object = format!(r#"[{{"configMap":{{"name":"app","items":{items}}}}}]"#);
            let info = format!(
                r#"[{{"podInfo":{{"items":[{{"field":"metadata.name","path":"{path}"}}]}}}}]"#
            );
            let token = format!(r#"[{{"serviceAccountToken":{{"audience":"","path":"{path}"}}}}]"#);
            let volumes = [
                app().with("items", &items),
                app().with("nestedDirs", &format!(r#"["{path}"]"#)),
                projected(&object),
                projected(&info),
                projected(&token),
            ];
            for volume in volumes {
                let (code, why) = refused(publish(&node, &inline, &volume, "t").await);
                assert_eq!(code, Code::InvalidArgument, "{path}: {why}");
                node.is_clean();
            }
            victim.is_untouched(path);
        }
        // Letters that only look like that are letters.
        let alike = ["\u{ff0e}\u{ff0e}/x", "\u{2024}\u{2024}/x", "\u{2025}/x", "..\u{2215}x"];
        for path in &alike[..3] {
            let volume = app().with("items", &format!(r#"[{{"key":"a","path":"{path}"}}]"#));
            publish(&node, &inline, &volume, "t").await.unwrap();
            assert_eq!(text(&node, &volume, path), "1");
            node.unpublish(&inline, &volume).await.unwrap();
        }
        let volume = app().with("items", &format!(r#"[{{"key":"a","path":"{}"}}]"#, alike[3]));
        assert!(publish(&node, &inline, &volume, "t").await.is_err());
        node.is_clean();
    });
}

#[test]
fn attack_names_of_objects_that_are_paths() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        api.put(DB, json!({ "data": { "k": "aGVsbG8=" } }));
        for name in [
            "../secrets/db",
            "app/../../secrets/db",
            "../../kube-system/secrets/db",
            "db?x=",
            "db#",
            "db%2f..",
            "app\r\nAuthorization: Bearer x",
            "APP",
            "",
            ".",
            "..",
            "\u{430}pp",
        ] {
            let escaped = json!([{ "secret": { "name": name } }]).to_string();
            let volumes = [
                app_named(name),
                secret().with("secretName", name).with("source", "api"),
                projected(&escaped),
            ];
            for volume in volumes {
                let (code, why) = refused(publish(&node, &inline, &volume, "t").await);
                assert_eq!(code, Code::InvalidArgument, "{name:?}: {why}");
            }
        }
        // A pod's name and namespace come from kubelet; but they become a piece of a path, too.
        let info = projected(
            r#"[{"podInfo":{"fromAPI":true,"items":[{"field":"metadata.labels","path":"l"}]}}]"#,
        );
        for (key, text) in [
            ("pod.name", "../secrets/db"),
            ("pod.namespace", "../team-b"),
            ("pod.name", "p?watch=true"),
        ] {
            let mut request = request(&node, &info, "t");
            request.volume_context.insert(format!("csi.storage.k8s.io/{key}"), text.to_owned());
            let answer = inline.node_publish_volume(Request::new(request)).await;
            assert_eq!(refused(answer).0, Code::InvalidArgument, "{text}");
        }
        assert!(api.asked().is_empty(), "the server was asked");
        node.is_clean();
    });
}

fn app_named(name: &str) -> Volume {
    Volume { read_only: true, ..Volume::of(1) }.with("kind", "configMap").with("name", name)
}

#[test]
fn attack_json_without_end_or_with_two_meanings() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        api.put(APP, json!({ "data": { "a": "1" } }));
        let deep = |open: &str| open.repeat(30_000 / open.len());
        let items = |count| {
            let item = |number| format!(r#"{{"key":"a","path":"{number:x}"}}"#);
            format!("[{}]", (0..count).map(item).collect::<Vec<_>>().join(","))
        };
        let (brackets, braces, nested) = (deep("["), deep(r#"{"a":"#), deep(r#"[{"key":"#));
        let many = items(5000);
        let long = format!(r#"[{{"key":"a","path":"{}"}}]"#, "x".repeat(70_000));
        for (what, text) in [
            ("brackets", &*brackets),
            ("braces", &braces),
            ("both", &nested),
            ("more items than there can be", &many),
            ("more bytes than there can be", &long),
            ("a key twice", r#"[{"key":"a","key":"..data","path":"a"}]"#),
            ("a path twice", r#"[{"key":"a","path":"a","path":"../x"}]"#),
            ("a key too many", r#"[{"key":"a","path":"a","mode":"0400","uid":0}]"#),
            ("a number", r#"[{"key":"a","path":1}]"#),
            ("a huge number", r#"[{"key":"a","path":"a","mode":1e999999}]"#),
            ("nothing", "null"),
            ("two lists", "[][]"),
            ("a lone surrogate", r#"[{"key":"a","path":"\ud800"}]"#),
            ("a comment", r#"[/*{"key":"a"}*/]"#),
        ] {
            for key in ["items", "nestedDirs", "sources"] {
                let volume = match key {
                    "sources" => projected(text),
                    _ => app().with(key, text),
                };
                let began = Instant::now();
                let (code, why) = refused(publish(&node, &inline, &volume, "t").await);
                assert_eq!(code, Code::InvalidArgument, "{what}: {why}");
                assert!(why.len() < 2000, "{what}: a message of {} bytes", why.len());
                assert!(began.elapsed() < Duration::from_secs(1), "{what}: {:?}", began.elapsed());
            }
        }
        node.is_clean();
    });
}

#[test]
fn attack_a_server_that_sends_the_token_elsewhere() {
    on_node(Role::Config, async |node: Node| {
        let (api, thief) = (StandIn::start().await, StandIn::start().await);
        let inline = start(&node, &api).await;
        thief.put(APP, json!({ "data": { "a": "planted" } }));
        let to = Box::leak(thief.address().to_owned().into_boxed_str());
        api.fail(APP, Some(Fault::Redirect(to)));
        let (code, why) = refused(publish(&node, &inline, &app(), "t").await);
        assert_eq!(code, Code::Unavailable, "{why}");
        assert_eq!(api.asked().len(), 1);
        assert!(thief.asked().is_empty(), "the token went with it");
        node.is_clean();
    });
}

#[test]
fn attack_an_answer_without_end() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        api.put(APP, json!({ "data": { "a": "x".repeat(5 << 20) } }));
        let (code, why) = refused(publish(&node, &inline, &app(), "t").await);
        assert_eq!((code, why.contains("longer than")), (Code::Unavailable, true), "{why}");
        api.put(APP, json!({ "data": { "a": "1" } }));
        publish(&node, &inline, &app(), "t").await.unwrap();
        api.put(APP, json!({ "data": { "a": "x".repeat(5 << 20) } }));
        pass(31).await;
        publish(&node, &inline, &app(), "t").await.unwrap();
        assert_eq!(text(&node, &app(), "a"), "1");
        node.unpublish(&inline, &app()).await.unwrap();
        node.is_clean();
    });
}

/// A token that says of itself whose it is, with a signature of nobody.
fn token_of(namespace: &str, uid: &str, account: &str) -> String {
    let claims = json!({ "kubernetes.io": {
        "namespace": namespace, "pod": { "name": "p", "uid": uid },
        "serviceaccount": { "name": account, "uid": "x" },
    } });
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn attack_a_token_of_another_pod_in_the_attributes() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        api.put(APP, json!({ "data": { "a": "1" } }));
        let (strict, lenient) = (start(&node, &api).await, start_with(&node, &api, true).await);
        let (uid, other) = (app().uid, Volume::of(2).uid);
        let planted = |token: &str| {
            let tokens =
                json!({ "": { "token": token, "expirationTimestamp": "2099-01-01T00:00:00Z" } });
            app().with(TOKENS, &tokens.to_string())
        };
        let own = token_of("team-a", &uid, "default");
        for (what, token) in [
            ("another pod", token_of("team-a", &other, "default")),
            ("another namespace", token_of("kube-system", &uid, "default")),
            ("another account", token_of("team-a", &uid, "admin")),
            ("letters that look alike", token_of("te\u{430}m-a", &uid, "default")),
            ("no claims", "e30.e30.c2ln".to_owned()),
            ("no token", "t".to_owned()),
            ("a header of its own", format!("{own}\r\nImpersonate-User: admin")),
        ] {
            for inline in [&strict, &lenient] {
                let (code, why) = refused(node.publish(inline, &planted(&token)).await);
                assert_eq!(code, Code::Unauthenticated, "{what}: {why}");
            }
        }
        assert!(api.asked().is_empty(), "a token was used");
        // Where kubelet sends one, that of the attributes is nothing.
        let forged = planted(&token_of("team-a", &uid, "default"));
        publish(&node, &strict, &forged, "kubelets").await.unwrap();
        assert!(api.asked().iter().all(|asked| asked.bearer == "Bearer kubelets"));
        node.unpublish(&strict, &forged).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_a_pod_that_has_taken_the_name_of_another() {
    on_node(Role::Config, async |node: Node| {
        const POD: &str = "/api/v1/namespaces/team-a/pods/p";
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        let info = projected(
            r#"[{"podInfo":{"fromAPI":true,"items":[{"field":"metadata.labels['a']","path":"a"}]}}]"#,
        );
        api.put_pod(POD, "uid-of-another", &json!({ "a": "theirs" }), &json!({}));
        let (code, why) = refused(publish(&node, &inline, &info, "t").await);
        assert_eq!((code, why.as_str()), (Code::FailedPrecondition, "pod \"p\" not found"));
        api.put_pod(POD, &info.uid, &json!({ "a": "ours" }), &json!({}));
        publish(&node, &inline, &info, "t").await.unwrap();
        api.put_pod(POD, "uid-of-another", &json!({ "a": "theirs" }), &json!({}));
        pass(31).await;
        publish(&node, &inline, &info, "t").await.unwrap();
        assert_eq!(text(&node, &info, "a"), "ours");
        node.unpublish(&inline, &info).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_a_mount_over_the_volume_that_waits_for_the_writer() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        let victim = Victim::of(&node);
        api.put(APP, json!({ "data": { "precious": "1" } }));
        publish(&node, &inline, &app(), "t").await.unwrap();
        let over = Mounted::tmpfs(&node.target(&app()));
        symlink(victim.path(), over.at().join("..data")).unwrap();
        symlink(victim.join("precious"), over.at().join("precious")).unwrap();
        symlink(victim.path(), over.at().join("..2026_11_26_12_44_30.1")).unwrap();
        api.put(APP, json!({ "data": { "precious": "2" } }));
        pass(31).await;
        let (code, why) = refused(publish(&node, &inline, &app(), "t").await);
        assert_eq!((code, why.contains("left as it is")), (Code::Internal, true), "{why}");
        victim.is_untouched("what is mounted over it");
        assert_eq!(fs::read_dir(over.at()).unwrap().count(), 3);
        drop(over);
        node.unpublish(&inline, &app()).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_pipes_and_directories_in_place_of_files() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        let volume = app().with("items", r#"[{"key":"a","path":"d/a"},{"key":"b","path":"b"}]"#);
        let put = |value: &str| api.put(APP, json!({ "data": { "a": value, "b": value } }));
        put("0");
        publish(&node, &inline, &volume, "t").await.unwrap();
        let root = fs::File::open(node.target(&volume)).unwrap();
        let twin = DetachedMount::writable_twin(&root).unwrap();
        drop(root);
        let pipe = |at: &Path| mknodat(CWD, at, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let at = twin.root();
        for round in 1..6 {
            let data = at.join(fs::read_link(at.join("..data")).unwrap());
            match round {
                1 => {
                    fs::remove_file(data.join("b")).unwrap();
                    pipe(&data.join("b"));
                }
                2 => {
                    fs::remove_dir_all(data.join("d")).unwrap();
                    pipe(&data.join("d"));
                }
                3 => {
                    fs::remove_file(at.join("..data")).unwrap();
                    pipe(&at.join("..data"));
                }
                4 => {
                    fs::create_dir(at.join("..data_tmp")).unwrap();
                    pipe(&at.join("..data_tmp/x"));
                }
                _ => {
                    fs::remove_file(at.join("b")).unwrap();
                    fs::create_dir(at.join("b")).unwrap();
                    pipe(&at.join("b/x"));
                }
            }
            put(&round.to_string());
            pass(301).await;
            let began = Instant::now();
            publish(&node, &inline, &volume, "t").await.unwrap();
            assert!(began.elapsed() < Duration::from_secs(3), "{round}: {:?}", began.elapsed());
            if round == 3 {
                fs::remove_file(at.join("..data")).ok();
                pass(301).await;
                publish(&node, &inline, &volume, "t").await.unwrap();
            }
        }
        drop(twin);
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_another_volume_inside_that_has_the_names_of_this_one() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        let victim = Victim::of(&node);
        let volume = app().with("nestedDirs", r#"["sub"]"#);
        api.put(APP, json!({ "data": { "a": "1" } }));
        publish(&node, &inline, &volume, "t").await.unwrap();
        let sub = node.target(&volume).join("sub");
        mount::mount("tmpfs", Path::new("x"), &sub, &MountOptions::default()).unwrap();
        for name in ["a", "..data", "..data_tmp", "..2026_11_26_12_44_30.1", "sub"] {
            symlink(victim.path(), sub.join(name)).unwrap();
        }
        for value in ["2", "3"] {
            api.put(APP, json!({ "data": { "a": value } }));
            pass(31).await;
            publish(&node, &inline, &volume, "t").await.unwrap();
            assert_eq!(text(&node, &volume, "a"), value);
        }
        victim.is_untouched("the volume inside");
        assert_eq!((fs::read_dir(&sub).unwrap().count(), mounts_at(&sub)), (5, 1));
        take_away(&sub);
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_the_target_of_a_projection_that_is_swapped_for_a_link() {
    on_node(Role::Config, async |node: Node| {
        let api = StandIn::start().await;
        let inline = start(&node, &api).await;
        let victim = Victim::of(&node);
        api.put(APP, json!({ "data": { "precious": "planted" } }));
        let request = request(&node, &app(), "t");
        symlink(victim.path(), node.target(&app())).unwrap();
        assert!(inline.node_publish_volume(Request::new(request)).await.is_err());
        victim.is_untouched("the link");
        let request = v1::NodeUnpublishVolumeRequest {
            volume_id: app().id().to_string(),
            target_path: node.target(&app()).display().to_string(),
        };
        assert!(inline.node_unpublish_volume(Request::new(request)).await.is_err());
        victim.is_untouched("the link");
        fs::remove_file(node.target(&app())).unwrap();
        node.unpublish(&inline, &app()).await.unwrap();
        node.is_clean();
    });
}
