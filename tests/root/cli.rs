//! The verbs beside a driver with a real pool, and without one.

mod check;
mod look;
mod manifests;
mod transfer;

use std::path::Path;
use std::process::Command;

use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::group_controller_client::GroupControllerClient;
use orlop::csi::v1::node_client::NodeClient;
use serde_json::Value;
use tokio::runtime::Runtime;
use tonic::transport::Channel;

use crate::driver::{NODE, connect, text};
use crate::process::Process;
use crate::requests::{
    attach, create, delete, delete_group, delete_snapshot, group, snapshot, stage, unstage,
};
use crate::rig::Ground;
use crate::support::{Image, in_mount_namespace};

/// A verb that has ended.
#[derive(Debug)]
struct Verb {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A driver's room, and clients of the driver.
struct Scene<'a> {
    room: &'a Path,
    runtime: Runtime,
    driver: Option<(Process, Channel)>,
}

impl<'a> Scene<'a> {
    fn new(room: &'a Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut scene = Self { room, runtime, driver: None };
        scene.start();
        std::fs::create_dir(room.join("staging")).unwrap();
        scene
    }

    fn start(&mut self) {
        let pool = self.room.join("pool");
        let config = format!(
            "attach: on\npools: [{{name: default, kind: image, path: {}}}]\n",
            pool.display()
        );
        let process = Process::start(self.room, &config, &[]);
        let channel = self.runtime.block_on(connect(process.socket.clone()));
        self.driver = Some((process, channel));
    }

    fn stop(&mut self) {
        let (process, channel) = self.driver.take().unwrap();
        drop(channel);
        // The client's end of the connection is a task of the runtime.
        self.runtime.block_on(tokio::task::yield_now());
        assert!(process.stop().success());
    }

    fn controller(&self) -> ControllerClient<Channel> {
        ControllerClient::new(self.driver.as_ref().unwrap().1.clone())
    }

    fn groups(&self) -> GroupControllerClient<Channel> {
        GroupControllerClient::new(self.driver.as_ref().unwrap().1.clone())
    }

    fn node(&self) -> NodeClient<Channel> {
        NodeClient::new(self.driver.as_ref().unwrap().1.clone())
    }

    fn create(&self, name: &str) -> String {
        let answer = self.runtime.block_on(self.controller().create_volume(create(name))).unwrap();
        answer.into_inner().volume.unwrap().volume_id
    }

    fn attach(&self, id: &str) {
        self.runtime
            .block_on(self.controller().controller_publish_volume(attach(id, NODE)))
            .unwrap();
    }

    fn verb(&self, args: &[&str]) -> Verb {
        let output = Command::new(env!("CARGO_BIN_EXE_orlop"))
            .args(args)
            .arg("--config")
            .arg(self.room.join("orlop.yaml"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Verb {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    fn json(&self, verb: &str) -> Vec<Value> {
        let verb = self.verb(&[verb, "--output", "json"]);
        serde_json::from_str(&verb.stdout).unwrap_or_else(|error| panic!("{error}: {verb:?}"))
    }
}

fn find<'a>(rows: &'a [Value], key: &str, value: &str) -> &'a Value {
    rows.iter().find(|row| row[key] == value).unwrap_or_else(|| panic!("no {value} in {rows:#?}"))
}

#[test]
fn volumes_and_snapshots_are_seen_beside_the_driver() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let (id, other) = (scene.create("pvc-1"), scene.create("pvc-2"));
    scene.attach(&id);
    let staging = text(&ground.path().join("staging"));
    scene.runtime.block_on(scene.node().node_stage_volume(stage(&id, &staging))).unwrap();
    let cut = scene
        .runtime
        .block_on(scene.controller().create_snapshot(snapshot("snap-1", &id)))
        .unwrap();
    let cut = cut.into_inner().snapshot.unwrap().snapshot_id;
    // A record that somebody has emptied is the matter of its own volume.
    let record = ground.path().join(format!("pool/volumes/{other}/volume.json"));
    std::fs::write(&record, "").unwrap();
    // So are images that have lost their end, or everything.
    let (short, none) = (scene.create("pvc-3"), scene.create("pvc-4"));
    let image = |id: &str| ground.path().join(format!("pool/volumes/{id}/data.img"));
    std::fs::File::options().write(true).open(image(&short)).unwrap().set_len(4096).unwrap();
    std::fs::remove_file(image(&none)).unwrap();

    let volumes = scene.json("volumes");
    let volume = find(&volumes, "id", &id);
    assert_eq!((&volume["name"], &volume["pool"]), (&"pvc-1".into(), &"default".into()));
    assert_eq!((&volume["content"], &volume["damage"]), (&"xfs".into(), &Value::Null));
    assert_eq!(volume["attachedTo"], serde_json::json!([NODE]));
    assert_eq!(volume["mountedAt"], serde_json::json!([staging]));
    let damage = find(&volumes, "id", &other)["damage"].as_str().unwrap();
    assert_eq!(damage, format!("{} is empty", record.display()));
    let lost = find(&volumes, "id", &short);
    assert_eq!((&lost["name"], &lost["content"]), (&"pvc-3".into(), &"xfs".into()));
    let short_of_it = lost["damage"].as_str().unwrap();
    assert_eq!(
        short_of_it,
        format!(
            "{} has 4096 bytes, but its record says 512 MiB: the data behind that is lost",
            image(&short).display()
        )
    );
    let missing = find(&volumes, "id", &none)["damage"].as_str().unwrap();
    assert_eq!(
        missing,
        format!("{} is missing or empty: all data is lost", image(&none).display())
    );
    assert_eq!(find(&scene.json("snapshots"), "id", &cut)["source"], id.as_str());
    let mut groups = scene.groups();
    let of_one = groups.create_volume_group_snapshot(group("group-1", &[&id]));
    let of_one = scene.runtime.block_on(of_one).unwrap().into_inner().group_snapshot.unwrap();
    let group_id = of_one.group_snapshot_id.as_str();
    let member = of_one.snapshots[0].snapshot_id.clone();
    let snapshots = scene.json("snapshots");
    assert_eq!(find(&snapshots, "id", &member)["group"], group_id);
    assert_eq!(find(&snapshots, "id", &cut)["group"], Value::Null);
    let gone = groups.delete_volume_group_snapshot(delete_group(group_id, &[member]));
    scene.runtime.block_on(gone).unwrap();
    let table = scene.verb(&["volumes"]).stdout;
    assert!(table.contains("MOUNTED AT") && table.contains(&staging), "{table}");

    let doctor = scene.json("doctor");
    assert_eq!(find(&doctor, "about", "driver")["verdict"], "ok");
    for damage in [damage, short_of_it, missing] {
        assert_eq!(find(&doctor, "found", damage)["verdict"], "error");
    }
    assert_eq!(scene.verb(&["doctor"]).code, Some(1));

    std::fs::remove_dir_all(record.parent().unwrap()).unwrap();
    scene.runtime.block_on(scene.node().node_unstage_volume(unstage(&id, &staging))).unwrap();
    scene.runtime.block_on(scene.controller().delete_snapshot(delete_snapshot(&cut))).unwrap();
    assert_eq!(scene.verb(&["detach", &id, "--force"]).code, Some(0));
    for id in [&id, &short, &none] {
        scene.runtime.block_on(scene.controller().delete_volume(delete(id))).unwrap();
    }
    scene.stop();
}

/// > The record of an attachment that was forgotten can be cleared by an admin, but only while nothing uses the
/// > volume.
#[test]
fn detach_clears_a_record_only_when_nothing_uses_the_volume() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let id = scene.create("pvc-1");
    scene.attach(&id);
    let staging = text(&ground.path().join("staging"));
    scene.runtime.block_on(scene.node().node_stage_volume(stage(&id, &staging))).unwrap();

    let polite = scene.verb(&["detach", &id]);
    assert_eq!(polite.code, Some(1));
    assert!(
        polite.stderr.contains("recorded as attached to n1; --force clears that"),
        "{polite:?}"
    );
    let mounted = scene.verb(&["detach", &id, "--force"]);
    assert_eq!(mounted.code, Some(1));
    assert!(mounted.stderr.contains(&format!("mounted at {staging}")), "{mounted:?}");

    scene.runtime.block_on(scene.node().node_unstage_volume(unstage(&id, &staging))).unwrap();
    let forced = scene.verb(&["detach", &id, "--force"]);
    assert_eq!(forced.stdout, format!("volume {id} is no longer recorded as attached to n1\n"));
    assert_eq!(
        scene.verb(&["detach", &id]).stdout,
        format!("volume {id} is not attached: nothing to do\n")
    );

    // The same without a driver: the verb is the pool's owner for a moment.
    scene.attach(&id);
    scene.stop();
    assert_eq!(find(&scene.json("volumes"), "id", &id)["attachedTo"], serde_json::json!([NODE]));
    let forced = scene.verb(&["detach", &id, "--force"]);
    assert_eq!(
        forced.stdout,
        format!("volume {id} is no longer recorded as attached to n1\n"),
        "{forced:?}"
    );
    assert_eq!(find(&scene.json("volumes"), "id", &id)["attachedTo"], serde_json::json!([]));
}

#[test]
fn a_pool_is_adopted_by_another_node_when_no_driver_has_it() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let served = scene.verb(&["adopt", "default", "--node-id", "n2"]);
    assert_eq!(
        served.stdout, "pool default is in service on this node: nothing to adopt\n",
        "{served:?}"
    );
    scene.stop();

    let foreign = scene.verb(&["doctor", "--node-id", "n2", "--output", "json"]);
    assert_eq!(foreign.code, Some(1));
    assert!(foreign.stdout.contains("belongs to node n1, and this is n2"), "{foreign:?}");
    let endpoint = text(&ground.path().join("csi.sock"));
    let refused = scene.verb(&["all", "--node-id", "n2", "--endpoint", &endpoint]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("orlop: cannot open pool default: pool default belongs to node \"n1\""),
        "{refused:?}"
    );

    let adopted = scene.verb(&["adopt", "default", "--node-id", "n2"]);
    assert_eq!(
        adopted.stdout, "pool default belongs to node n2 now; it belonged to n1\n",
        "{adopted:?}"
    );
    let again = scene.verb(&["adopt", "default", "--node-id", "n2"]);
    assert_eq!(again.stdout, "pool default belonged to node n2 already\n");
    let back = scene.verb(&["adopt", "default", "--node-id", "n1"]);
    assert_eq!(back.code, Some(0));
    scene.start();
    scene.stop();
}

/// What a start would refuse, doctor says before.
#[test]
fn doctor_tells_a_pool_that_cannot_start_from_one_that_only_has_to() {
    in_mount_namespace();
    let ground = Ground::new();
    let foreign = Image::formatted(ground.path(), "foreign.img", 64 << 20, "ext4");
    let device = foreign.attach();
    let place = |key: &str, path: &Path| format!("{key}: {}", path.display());
    let not_ours = ground.path().join("not-ours");
    std::fs::write(&not_ours, "precious").unwrap();
    let cases = [
        (place("device", &device.device.path), "holds ext4 and is not a pool"),
        (place("device", Path::new("/dev/nonexistent")), "No such file"),
        (place("device", &not_ours), "is not a block device"),
        (format!("size: 1Gi, {}", place("file", &not_ours)), "is not a pool that Orlop made"),
    ];
    for (place, expected) in cases {
        let config = ground.path().join("orlop.yaml");
        let text = format!(
            "nodeId: n1\nstateDir: {}\npools: [{{name: box, kind: image, {place}}}]\n",
            ground.path().join("state").display()
        );
        std::fs::write(&config, text).unwrap();
        let verb = |args: &[&str]| {
            let verb = Command::new(env!("CARGO_BIN_EXE_orlop"))
                .args(args)
                .arg("--config")
                .arg(&config)
                .output();
            verb.unwrap()
        };
        let found = verb(&["doctor", "--output", "json"]);
        assert_eq!(found.status.code(), Some(1));
        let found: Vec<Value> = serde_json::from_slice(&found.stdout).unwrap();
        let pool = find(&found, "about", "pool box");
        assert_eq!(pool["verdict"], "error", "{pool}");
        assert!(pool["found"].as_str().unwrap().contains(expected), "{expected}: {pool}");
        let endpoint = format!("--endpoint={}", ground.path().join("csi.sock").display());
        let refused = verb(&["all", &endpoint]);
        assert_eq!(refused.status.code(), Some(1), "{expected}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains(expected), "{said}");
    }
}
