//! `orlop pools`, and `orlop volumes --watch`: what is seen beside the driver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{Scene, find};
use crate::requests::{delete, snapshot};
use crate::rig::Ground;
use crate::support::in_mount_namespace;

/// How long a change may take to be told.
const PATIENCE: Duration = Duration::from_secs(10);

/// A verb that goes on, and the lines that it prints.
struct Going {
    child: Child,
    lines: Receiver<String>,
}

impl Going {
    fn start(scene: &Scene<'_>, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_orlop"))
            .args(args)
            .arg("--config")
            .arg(scene.room.join("orlop.yaml"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().try_for_each(|line| tell.send(line.unwrap())));
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("nothing more is told")
    }

    fn next_json(&self) -> Value {
        serde_json::from_str(&self.next()).unwrap()
    }

    fn stop(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_watch_tells_what_changes_until_it_is_stopped() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let first = scene.create("pvc-1");
    let (people, programs) = (
        Going::start(&scene, &["volumes", "--watch"]),
        Going::start(&scene, &["volumes", "--watch", "--output", "json"]),
    );
    assert!(people.next().starts_with(&format!("+ {first}  pvc-1  default")));
    let event = programs.next_json();
    assert_eq!((&event["change"], &event["id"]), (&json!("added"), &json!(first)));

    scene.attach(&first);
    assert!(people.next().starts_with(&format!("~ {first}")));
    let event = programs.next_json();
    assert_eq!((&event["change"], &event["attachedTo"]), (&json!("changed"), &json!(["n1"])));
    assert_eq!(scene.verb(&["detach", &first, "--force"]).code, Some(0));
    assert!(people.next().starts_with(&format!("~ {first}")));
    assert_eq!(programs.next_json()["change"], "changed");

    scene.runtime.block_on(scene.controller().delete_volume(delete(&first))).unwrap();
    assert!(people.next().starts_with(&format!("- {first}")));
    assert_eq!(programs.next_json()["change"], "removed");
    assert_eq!((people.stop(), programs.stop()), (Some(0), Some(0)));
    scene.stop();
}

#[test]
fn pools_are_shown_with_what_they_have_and_what_is_the_matter() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let id = scene.create("pvc-1");
    scene.runtime.block_on(scene.controller().create_snapshot(snapshot("snap-1", &id))).unwrap();

    let pools = scene.json("pools");
    let pool = find(&pools, "name", "default");
    let place = ground.path().join("pool").display().to_string();
    assert_eq!((&pool["kind"], &pool["place"]), (&json!("image"), &json!(place)));
    assert_eq!((&pool["provisioning"], &pool["ratio"]), (&json!("thin"), &json!("2")));
    assert_eq!((&pool["volumes"], &pool["snapshots"]), (&json!(1), &json!(1)));
    assert_eq!((&pool["promisedBytes"], &pool["condition"]), (&json!(2_u64 << 29), &json!([])));
    let bytes = |key: &str| pool[key].as_u64().unwrap();
    assert!(bytes("usedBytes") + bytes("freeBytes") <= bytes("sizeBytes"));
    let table = scene.verb(&["pools"]).stdout;
    assert!(
        table.contains("thin ×2") && table.contains("1 GiB") && table.contains("well"),
        "{table}"
    );

    std::fs::write(ground.path().join(format!("pool/volumes/{id}/volume.json")), "").unwrap();
    let pools = scene.json("pools");
    assert_eq!(find(&pools, "name", "default")["condition"], json!(["1 damaged", "1 unwell"]));
    scene.stop();
    std::fs::remove_file(ground.path().join("pool/pool.json")).unwrap();
    let pools = scene.json("pools");
    assert_eq!(find(&pools, "name", "default")["condition"], json!(["not made yet"]));
}
