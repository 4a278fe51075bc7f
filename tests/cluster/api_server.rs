//! The rig itself: the API server is a real one, and can be hurt as a real one is.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use futures_util::StreamExt;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::rig::{self, Identity, Mounts, Relay, Rig, with_clock};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })
}

#[test]
fn it_comes_up() {
    rig::alone(async |rig| {
        eprintln!("ready after {:?}", rig.cluster.began.elapsed());
        let version = rig.api.get("/version").await.unwrap();
        let pinned = include_str!("../../tools/kube/go.mod");
        let found = version["gitVersion"].as_str().unwrap();
        assert!(pinned.contains(&format!("k8s.io/kubernetes {found}\n")), "{found}");
    });
}

#[test]
fn a_node_may_be_in_the_api_alone() {
    rig::shared(async |rig| {
        rig.node("alone").await;
        rig.csi_node("alone", "csi.example.com").await;
        let conditions = "-o=jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        assert_eq!(rig.kubectl(["get", "node", "alone", conditions]), "True");
        rig.node_is_ready("alone", false).await;
        assert_eq!(rig.kubectl(["get", "node", "alone", conditions]), "False");
        let taints = rig.kubectl(["get", "node", "alone", "-o=jsonpath={.spec.taints}"]);
        assert_eq!(taints, "");
        let driver = "-o=jsonpath={.spec.drivers[*].nodeID}";
        assert_eq!(rig.kubectl(["get", "csinode", "alone", driver]), "alone");
    });
}

#[test]
fn the_audit_counts_every_request() {
    rig::shared(async |rig| {
        let api = rig.api_of(&Identity::user("counted", "system:masters")).await;
        let before = rig.audit().now();
        api.post(MAPS, &map("counted")).await.unwrap();
        let path = format!("{MAPS}/counted");
        for n in 0..3 {
            api.patch(&path, &json!({ "data": { "n": n.to_string() } })).await.unwrap();
        }
        api.get(&path).await.unwrap();
        api.delete(&path).await.unwrap();
        let events = rig.audit().since(before);
        let ours: Vec<_> = events.iter().filter(|event| event.user.username == "counted").collect();
        let verbs: Vec<_> = ours.iter().map(|event| event.verb.as_str()).collect();
        assert_eq!(verbs, ["create", "patch", "patch", "patch", "get", "delete"]);
        assert!(ours.iter().all(|event| event.is_about("configmaps")));
        assert_eq!(ours.iter().filter(|event| event.is_a_write()).count(), 5);
    });
}

#[test]
fn what_it_has_outlives_its_death_and_watches_do_not() {
    rig::alone(async |rig| {
        rig.api.post(MAPS, &map("before")).await.unwrap();
        let mut watch = Box::pin(rig.api.watch(MAPS).await.unwrap());
        assert!(watch.next().await.unwrap().is_ok());
        rig.cluster.kill_api_server();
        while let Some(Ok(_)) = watch.next().await {}
        assert_eq!(rig.api.get(MAPS).await.unwrap_err().code, 0);

        rig.cluster.start_api_server();
        rig.until_it_is_ready().await;
        rig.api.get(&format!("{MAPS}/before")).await.unwrap();
        rig.api.post(MAPS, &map("after")).await.unwrap();
    });
}

#[test]
fn it_can_hang() {
    rig::alone(async |rig| {
        rig.cluster.pause_api_server();
        let asked = rig.api.get(MAPS);
        tokio::time::timeout(Duration::from_millis(500), asked).await.unwrap_err();
        rig.cluster.resume_api_server();
        rig.api.get(MAPS).await.unwrap();
    });
}

#[test]
fn one_client_can_be_cut_off() {
    rig::shared(async |rig| {
        let relay = Relay::start();
        let path = rig.kubeconfig_through(&relay, &Identity::Admin);
        let api = rig::Api::new(&path).await;
        let mut watch = Box::pin(api.watch(MAPS).await.unwrap());
        rig.api.post(MAPS, &map("cut")).await.unwrap();
        assert!(watch.next().await.unwrap().is_ok());

        relay.cut();
        while let Some(Ok(_)) = watch.next().await {}
        api.get(MAPS).await.unwrap();

        relay.shut();
        assert_eq!(api.get(MAPS).await.unwrap_err().code, 0);
        rig.api.get(MAPS).await.unwrap();
        relay.open();
        api.get(MAPS).await.unwrap();
    });
}

#[test]
fn a_program_can_be_an_hour_late() {
    let now = |offset: Option<&str>| {
        let mut date = Command::new("date");
        date.arg("+%s");
        if let Some(offset) = offset {
            with_clock(&mut date, offset);
        }
        let said = String::from_utf8(date.output().unwrap().stdout).unwrap();
        said.trim().parse::<u64>().unwrap()
    };
    let (late, right) = (now(Some("-1h")), now(None));
    assert!((3590..=3610).contains(&(right - late)), "{right} {late}");
}

#[test]
fn what_runs_in_a_cluster_ends_with_it() {
    rig::alone(async |rig| {
        let mut sleep = Command::new("sleep");
        sleep.arg("1000");
        let sleeper = rig.spawn("sleeper", sleep);
        assert_eq!(sleeper.ended(), None);
        rig.cluster.namespaces.end();
        let ended = rig.until("the sleeper has ended", async || sleeper.ended()).await;
        assert_eq!(ended.signal(), Some(Signal::SIGKILL as i32));
    });
}

#[test]
fn what_a_node_has_mounted_outlives_its_programs() {
    rig::shared(async |rig| {
        let (node, room) = (Mounts::new(), rig.room("mounted"));
        let file = room.join("file");
        let mount = format!("mount -t tmpfs tmpfs {0} && touch {0}/file", room.display());
        for script in [mount, format!("test -e {}", file.display())] {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(script);
            let program = rig.spawn_on(&node, "mounted", shell);
            let ended = rig.until("the shell has ended", async || program.ended()).await;
            assert!(ended.success(), "{}", program.said());
        }
        assert!(node.run(|| file.exists()));
        assert!(!file.exists());
    });
}

#[test]
fn two_clusters_do_not_meet() {
    rig::alone(async |one: Rig| {
        one.api.post(MAPS, &map("here")).await.unwrap();
        rig::alone(async |other: Rig| {
            let path = format!("{MAPS}/here");
            assert_eq!(other.api.get(&path).await.unwrap_err().code, 404);
        });
        one.api.get(&format!("{MAPS}/here")).await.unwrap();
    });
}
