//! `orlop import` and `orlop export`: with a driver and without one, and killed at each of their steps.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Scene, Verb};
use crate::driver::text;
use crate::requests::{delete, stage, unstage};
use crate::rig::Ground;
use crate::support::{Image, MIB, in_mount_namespace, new_dir};

fn ext4_image(room: &Path, name: &str) -> String {
    let image = Image::formatted(room, name, 64 * MIB, "ext4");
    let at = room.join("filling");
    if !at.exists() {
        new_dir(room, "filling");
    }
    let mounted = image.mount("ext4", &at);
    std::fs::write(mounted.at().join("file"), "from outside").unwrap();
    drop(mounted);
    text(image.path())
}

fn manifest(verb: &Verb) -> Value {
    assert_eq!(verb.code, Some(0), "{verb:?}");
    serde_saphyr::from_str(&verb.stdout).unwrap_or_else(|error| panic!("{error}: {verb:?}"))
}

impl Scene<'_> {
    fn is_usable(&self, id: &str) {
        let staging = text(&self.room.join("staging"));
        self.runtime.block_on(self.node().node_stage_volume(stage(id, &staging))).unwrap();
        let words = std::fs::read_to_string(self.room.join("staging/file")).unwrap();
        assert_eq!(words, "from outside");
        self.runtime.block_on(self.node().node_unstage_volume(unstage(id, &staging))).unwrap();
    }

    fn delete(&self, id: &str) {
        self.runtime.block_on(self.controller().delete_volume(delete(id))).unwrap();
    }
}

#[test]
fn an_image_comes_in_and_goes_out_with_a_driver_and_without() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    for with_driver in [true, false] {
        let file = ext4_image(ground.path(), "db.img");
        if !with_driver {
            scene.stop();
        }
        let volume = manifest(&scene.verb(&["import", &file, "--name", "db", "--move"]));
        let again = scene.verb(&["import", &file, "--name", "db"]);
        assert_eq!(again.code, Some(1));
        assert!(!Path::new(&file).exists());
        assert_eq!(volume["metadata"]["name"], "db");
        assert_eq!(volume["spec"]["csi"]["fsType"], "ext4");
        assert_eq!(volume["spec"]["capacity"]["storage"], (64 * MIB).to_string());
        let id = volume["spec"]["csi"]["volumeHandle"].as_str().unwrap().to_owned();
        let exported = text(&ground.path().join("exported.img"));
        for (force, code) in [(None, 0), (None, 1), (Some("--force"), 0)] {
            let args: Vec<_> = ["export", &id, &exported].into_iter().chain(force).collect();
            let verb = scene.verb(&args);
            assert_eq!(verb.code, Some(code), "{verb:?}");
        }
        let image = ground.path().join("pool/volumes").join(&id).join("data.img");
        assert!(std::fs::read(&exported).unwrap() == std::fs::read(image).unwrap());
        std::fs::remove_file(exported).unwrap();
        if !with_driver {
            scene.start();
        }
        scene.is_usable(&id);
        scene.delete(&id);
    }
    let missing = scene.verb(&["import", "nowhere.img", "--name", "x"]);
    assert!(missing.code == Some(1) && missing.stderr.contains("there is no file"), "{missing:?}");
    let unknown = scene.verb(&["export", "v-0", "/tmp/x"]);
    assert!(unknown.stderr.contains("does not exist"), "{unknown:?}");
    let pool = scene.verb(&["import", "a", "--name", "x", "--pool", "none"]);
    assert!(pool.stderr.contains("there is no pool"), "{pool:?}");
    scene.stop();
}

/// Whenever an import is killed, the file is whole or the volume is real, and a repeat gets there.
#[test]
fn a_killed_import_loses_nothing() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    scene.stop();
    let mut killed = 0;
    for step in 1.. {
        let file = ext4_image(ground.path(), "db.img");
        let output = Command::new(env!("CARGO_BIN_EXE_orlop"))
            .args(["import", &file, "--name", "db", "--move", "--config"])
            .arg(ground.path().join("orlop.yaml"))
            .env("ORLOP_KILL_AT_STEP", step.to_string())
            .output()
            .unwrap();
        if output.status.success() {
            break;
        }
        killed += 1;
        assert_eq!(output.status.code(), None, "step {step}: {output:?}");
        let again = scene.verb(&["import", &file, "--name", "db", "--move"]);
        let is_real = again.stderr.contains("exists already");
        assert!(again.code == Some(0) || is_real, "step {step}: {again:?}");
        let rows = scene.json("volumes");
        let id = rows[0]["id"].as_str().unwrap().to_owned();
        scene.start();
        scene.is_usable(&id);
        scene.delete(&id);
        scene.stop();
        std::fs::remove_file(file).ok();
    }
    assert!(killed > 8, "{killed}");
}
