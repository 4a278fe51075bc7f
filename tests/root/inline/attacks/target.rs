//! On the way to the target: kubelet's directories, ids, and what a request may say.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orlop::csi::v1;
use orlop::csi::v1::node_server::Node as _;
use orlop::ephemeral::scratch::Scratch;
use orlop::ephemeral::{Inline, Role, Settings};
use tonic::{Code, Request};

use super::super::rig::{Node, Volume, mounts_at, on_node, refused};
use super::{Swapping, Victim};

fn memory(pod: u32) -> Volume {
    Volume::of(pod).with("medium", "Memory")
}

fn unpublish(node: &Node, volume: &Volume) -> v1::NodeUnpublishVolumeRequest {
    v1::NodeUnpublishVolumeRequest {
        volume_id: volume.id().to_string(),
        target_path: node.parent(volume).join("mount").display().to_string(),
    }
}

#[test]
fn attack_a_link_in_place_of_each_directory_on_the_way_to_a_target() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = memory(1);
        let request = node.request(&volume);
        for depth in 0..5 {
            let swapped = node.parent(&volume).ancestors().nth(depth).unwrap().to_owned();
            let moved = node.path("host/moved");
            fs::rename(&swapped, &moved).unwrap();
            symlink(&moved, &swapped).unwrap();
            // Behind the link everything is as it should be.
            assert!(node.parent(&volume).is_dir());
            let target = moved.join(node.parent(&volume).strip_prefix(&swapped).unwrap());
            fs::create_dir(target.join("mount")).unwrap();
            let victim = Victim::at(moved.clone());
            let by = swapped.display().to_string();
            let answer = inline.node_publish_volume(Request::new(request.clone())).await;
            assert!(answer.is_err(), "{by}");
            let answer = inline.node_unpublish_volume(Request::new(unpublish(&node, &volume)));
            assert!(answer.await.is_err(), "{by}");
            victim.is_untouched(&by);
            fs::remove_dir(target.join("mount")).unwrap();
            fs::remove_file(&swapped).unwrap();
            fs::rename(&moved, &swapped).unwrap();
        }
        node.is_clean();
    });
}

#[test]
fn attack_a_directory_on_the_way_that_is_swapped_all_the_time() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let volume = memory(1);
        let request = node.request(&volume);
        let parent = node.parent(&volume);
        let victim = Victim::of(&node);
        let link = parent.with_file_name("link");
        symlink(victim.path(), &link).unwrap();
        let swapping = Swapping::begin(parent.clone(), link.clone());
        let (begin, mut published, mut refusals) = (Instant::now(), 0, 0);
        while begin.elapsed() < Duration::from_secs(5) {
            let answer = inline.node_publish_volume(Request::new(request.clone())).await;
            published += u32::from(answer.is_ok());
            refusals += u32::from(answer.is_err());
            assert_eq!(mounts_at(&victim.join("mount")), 0);
            let request = Request::new(unpublish(&node, &volume));
            refusals += u32::from(inline.node_unpublish_volume(request).await.is_err());
        }
        let swaps = swapping.end();
        victim.is_untouched("the loop");
        assert!(published > 10 && refusals > 10 && swaps > 1000, "{published} {refusals} {swaps}");
        fs::remove_file(link).unwrap();
        node.unpublish(&inline, &volume).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_a_path_that_is_no_target_of_the_pod() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let (own, other) = (memory(1), memory(2));
        node.publish(&inline, &other).await.unwrap();
        fs::write(node.target(&other).join("words"), "kept").unwrap();
        let target = node.target(&own).display().to_string();
        let of_other = node.target(&other).display().to_string();
        let kubelet = node.path("kubelet").display().to_string();
        let in_kubelet = |below: &str| format!("{kubelet}/{below}");
        let csi = "volumes/kubernetes.io~csi";
        for (what, path) in [
            ("another pod's", of_other.clone()),
            (
                "up to another pod's",
                target.replace("work/mount", &format!("../../../{}/{csi}/work/mount", other.uid)),
            ),
            (
                "behind the target",
                format!("{target}/../../../../../{}/{csi}/work/mount", other.uid),
            ),
            ("a uid that climbs", in_kubelet(&format!("pods/../../host/{csi}/work/mount"))),
            ("a name that climbs", in_kubelet(&format!("pods/{}/{csi}/../mount", own.uid))),
            ("over /proc/self/root", format!("/proc/self/root{target}")),
            ("over /proc/1/root", format!("/proc/1/root{target}")),
            ("in the target", format!("{target}/mount")),
            ("a zero byte", target.replace("/mount", "\0/mount")),
            ("a line end", target.replace("/mount", "\n/mount")),
            ("too long", target.replace("/mount", &format!("{}/mount", "x".repeat(5000)))),
            ("letters that look alike", target.replace("pods", "p\u{43e}ds")),
            ("a slash that looks alike", target.replace("/mount", "\u{2215}mount")),
            ("relative", target.trim_start_matches('/').to_owned()),
            ("kubelet's own directory", kubelet.clone()),
            ("the host's", "/etc".to_owned()),
        ] {
            let mut request = node.request(&own);
            request.target_path.clone_from(&path);
            let answer = inline.node_publish_volume(Request::new(request)).await;
            assert_eq!(refused(answer).0, Code::InvalidArgument, "{what}");
            for volume in [&own, &other] {
                // Only with its own id it is the other's own unpublish.
                if path == of_other && volume.uid == other.uid {
                    continue;
                }
                let target_path = path.clone();
                let request =
                    v1::NodeUnpublishVolumeRequest { target_path, ..unpublish(&node, volume) };
                let answer = inline.node_unpublish_volume(Request::new(request)).await;
                assert_eq!(refused(answer).0, Code::InvalidArgument, "{what}");
            }
            assert_eq!(fs::read_to_string(node.target(&other).join("words")).unwrap(), "kept");
        }
        // A uid that is a path does not make it one.
        let mut climbing = own.clone();
        climbing.uid = format!("../pods/{}", other.uid);
        assert!(node.publish(&inline, &climbing).await.is_err());
        node.unpublish(&inline, &other).await.unwrap();
        node.is_clean();
    });
}

fn taking_any_id(node: &Node) -> Inline {
    let kind = Arc::new(Scratch::new(node.scratch()).unwrap());
    Inline::start(Settings { takes_any_id: true, ..node.settings(kind) }).unwrap()
}

#[test]
fn attack_an_id_that_is_a_path() {
    on_node(Role::Scratch, async |node: Node| {
        let volume = memory(1);
        let own = volume.id().to_string();
        // What it would reach, from wherever it is taken for a name.
        for name in ["state/x.json", "state/inline/x.json", "x.json", "scratch.img"] {
            fs::create_dir_all(node.path(name).parent().unwrap()).unwrap();
            fs::write(node.path(name), "precious").unwrap();
        }
        let ids = [
            "../../x".to_owned(),
            "../x".to_owned(),
            "../scratch".to_owned(),
            "..".to_owned(),
            ".".to_owned(),
            "/".to_owned(),
            node.path("x").display().to_string(),
            format!("{own}/../../x"),
            format!("../{}", &own[3..]),
            format!("{own}.json"),
            format!("{own}\n"),
            format!("{own}\0"),
            own.to_uppercase(),
            own.replace('0', "\u{ff10}").replace('1', "\u{ff11}"),
            format!("csi-{}", "../".repeat(22)),
            "x".repeat(1 << 20),
        ];
        for takes_any in [false, true] {
            let inline = if takes_any { taking_any_id(&node) } else { node.start() };
            for id in &ids {
                let what = &id[..id.len().min(80)];
                let mut request = node.request(&volume);
                request.volume_id.clone_from(id);
                let answer = inline.node_publish_volume(Request::new(request)).await;
                let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
                assert_eq!(
                    code,
                    if takes_any { Code::Ok } else { Code::InvalidArgument },
                    "{what}"
                );
                let target_path = node.target(&volume).display().to_string();
                let asked = v1::NodeGetVolumeStatsRequest {
                    volume_id: id.clone(),
                    volume_path: target_path.clone(),
                    ..v1::NodeGetVolumeStatsRequest::default()
                };
                let answer = inline.node_get_volume_stats(Request::new(asked)).await;
                let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
                assert_eq!(code, if takes_any { Code::Ok } else { Code::NotFound }, "{what}");
                let request = v1::NodeUnpublishVolumeRequest { volume_id: id.clone(), target_path };
                inline.node_unpublish_volume(Request::new(request)).await.unwrap();
                assert!(!node.target(&volume).exists(), "{what}");
            }
            for name in ["state/x.json", "state/inline/x.json", "x.json", "scratch.img"] {
                assert_eq!(fs::read_to_string(node.path(name)).unwrap(), "precious");
            }
            node.is_clean();
        }
    });
}

#[test]
fn attack_two_pods_whose_uid_and_volume_run_together() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let own = Volume::of(1).with("enforcement", "none");
        let mut other = own.clone();
        other.name = format!("{}{}", &other.uid[35..], other.name);
        other.uid.truncate(35);
        assert_eq!(own.id(), other.id(), "that is what kubelet computes");
        node.publish(&inline, &own).await.unwrap();
        fs::write(node.target(&own).join("words"), "secret").unwrap();
        let (code, why) = refused(node.publish(&inline, &other).await);
        assert_eq!((code, why.contains("another pod")), (Code::AlreadyExists, true), "{why}");
        assert!(!node.target(&other).join("words").exists());
        // Nor does it go with the other's.
        node.unpublish(&inline, &other).await.unwrap();
        assert_eq!(fs::read_to_string(node.target(&own).join("words")).unwrap(), "secret");
        node.publish(&inline, &own).await.unwrap();
        node.unpublish(&inline, &own).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_a_key_of_kubelets_that_the_user_wrote() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        for key in [
            "csi.storage.k8s.io/foo",
            "csi.storage.k8s.io/",
            "csi.storage.k8s.io/pod.namespace ",
            "csi.storage.k8s.io/pod.namespace\u{200b}",
            "csi.storage.k8s.io/pod.uid\0",
            "CSI.storage.k8s.io/pod.uid",
            "csi.storage.k8s.io\u{2215}pod.uid",
            " csi.storage.k8s.io/ephemeral",
        ] {
            let volume = memory(1).with(key, "kube-system");
            let (code, why) = refused(node.publish(&inline, &volume).await);
            assert_eq!(code, Code::InvalidArgument, "{key:?}: {why}");
        }
        node.is_clean();
    });
}

#[test]
fn attack_options_that_are_smuggled_into_values() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let with = |key: &str, value: &str| {
            let disk = Volume::of(1).with(key, value);
            let memory = memory(1).with(key, value);
            if key == "medium" { vec![disk] } else { vec![disk, memory] }
        };
        for (key, value) in [
            ("sizeLimit", "1Gi,size=0"),
            ("sizeLimit", "1Gi\nsize=0"),
            ("sizeLimit", "0x10"),
            ("sizeLimit", "1e30"),
            ("sizeLimit", "-1"),
            ("sizeLimit", "1Gi "),
            ("inodeLimit", "1,nr_inodes=0"),
            ("inodeLimit", "0"),
            ("inodeLimit", "4294967296"),
            ("mode", "0777,suid"),
            ("mode", "04777"),
            ("mode", "02777"),
            ("medium", "Memory,exec"),
            ("medium", "HugePages-2Mi,size=0"),
            ("medium", "HugePages-../../x"),
            ("exec", "true,suid"),
            ("suid", "TRUE"),
            ("enforcement", "none,dev"),
        ] {
            for volume in with(key, value) {
                let (code, why) = refused(node.publish(&inline, &volume).await);
                assert_eq!(code, Code::InvalidArgument, "{key}={value:?}: {why}");
                assert!(!node.target(&volume).exists(), "{key}={value:?}");
            }
        }
        for fs_type in
            ["ext4,dev", "ext4 -o loop", "../../bin/sh", "ext4\0", "-h", "EXT4", "proc", "overlay"]
        {
            let volume = Volume { fs_type: fs_type.to_owned(), ..Volume::of(1) };
            let (code, why) = refused(node.publish(&inline, &volume).await);
            assert_eq!(code, Code::InvalidArgument, "{fs_type:?}: {why}");
        }
        for flags in [&["suid"][..], &["dev", "size=0"], &["context=system_u:object_r:x"]] {
            use orlop::csi::v1::volume_capability::AccessType;
            let mut request = node.request(&memory(1));
            let capability = request.volume_capability.as_mut().unwrap();
            let Some(AccessType::Mount(mount)) = &mut capability.access_type else { panic!() };
            mount.mount_flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
            let answer = inline.node_publish_volume(Request::new(request)).await;
            assert_eq!(refused(answer).0, Code::InvalidArgument, "{flags:?}");
        }
        node.is_clean();
    });
}

#[test]
fn attack_lines_of_the_log_that_a_user_wrote() {
    use crate::driver::connect;
    use crate::process::Process;
    use orlop::csi::v1::node_client::NodeClient;
    for format in ["text", "json"] {
        on_node(Role::Scratch, async |node: Node| {
            let room = node.dir.path().display().to_string();
            let config = format!(
                "kubeletRoot: {room}/kubelet\npools: [{{name: default, kind: memory, size: 1Gi}}]\n\
                 roles: {{scratch: {{endpoint: {room}/scratch.sock, path: {room}/scratch}},\n\
                 hostpath: {{enabled: true, endpoint: {room}/hostpath.sock,\n\
                 prefixes: [{{path: {room}/host, namespaces: ['*']}}]}}}}\n"
            );
            let driver = Process::start(node.dir.path(), &config, &[("ORLOP_LOG_FORMAT", format)]);
            let mut scratch = NodeClient::new(connect(node.path("scratch.sock")).await);
            let mut hostpath = NodeClient::new(connect(node.path("hostpath.sock")).await);
            let forged = "x\n\r\u{1b}[2J\u{9b}31mFORGED all is well\u{2028}FORGED";
            for volume in [
                memory(1).with(forged, "x"),
                memory(1).with("sizeLimit", forged),
                memory(1).with("medium", forged),
                Volume { fs_type: forged.to_owned(), ..Volume::of(1) },
                Volume { group: forged.to_owned(), ..Volume::of(1) },
            ] {
                scratch.node_publish_volume(node.request(&volume)).await.unwrap_err();
            }
            for path in [format!("/{forged}"), node.path("host").join(forged).display().to_string()]
            {
                let volume = Volume::of(1).with("path", &path);
                hostpath.node_publish_volume(node.request(&volume)).await.unwrap_err();
            }
            let mut request = node.request(&memory(1));
            request.volume_id = forged.to_owned();
            scratch.node_publish_volume(request.clone()).await.unwrap_err();
            request.target_path = format!("/{forged}");
            scratch.node_publish_volume(request).await.unwrap_err();
            let said = driver.said();
            assert!(said.contains("FORGED"), "{format}: nothing of it is logged");
            for line in said.lines() {
                assert!(!line.trim_start().starts_with("FORGED"), "{format}: {line:?}");
                assert!(!line.contains(['\u{1b}', '\u{9b}', '\r']), "{format}: {line:?}");
            }
            assert!(driver.stop().success());
            node.is_clean();
        });
    }
}
