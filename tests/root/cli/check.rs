//! `orlop check`: every kind of fault is seen, nothing that is well is called a fault, and a repair does what its
//! dry run has said and no more.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Scene, Verb};
use crate::driver::text;
use crate::requests::{create, group, snapshot, stage, unstage};
use crate::rig::Ground;
use crate::support::{in_mount_namespace, unseal};

const FAULTS: Option<i32> = Some(3);

impl Scene<'_> {
    fn check(&self, args: &[&str]) -> (Option<i32>, Value) {
        let verb = self.verb(&[&["check", "--output", "json"], args].concat());
        let reports: Value =
            serde_json::from_str(&verb.stdout).unwrap_or_else(|error| panic!("{error}: {verb:?}"));
        (verb.code, reports[0].clone())
    }

    fn pool(&self) -> PathBuf {
        self.room.join("pool")
    }

    fn volume(&self, id: &str) -> PathBuf {
        self.pool().join("volumes").join(id)
    }

    fn staging(&self) -> String {
        text(&self.room.join("staging"))
    }

    fn stage(&self, id: &str) {
        self.runtime.block_on(self.node().node_stage_volume(stage(id, &self.staging()))).unwrap();
    }

    fn unstage(&self, id: &str) {
        let request = unstage(id, &self.staging());
        self.runtime.block_on(self.node().node_unstage_volume(request)).unwrap();
    }
}

/// Returns the faults as `grade place`.
fn faults(report: &Value) -> Vec<String> {
    let faults = report["faults"].as_array().unwrap();
    let word = |fault: &Value, key: &str| fault[key].as_str().unwrap().to_owned();
    faults
        .iter()
        .map(|fault| format!("{} {}", word(fault, "grade"), word(fault, "place")))
        .collect()
}

/// Returns everything in the directory by its path.
fn tree(at: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(tree(&path));
        }
        all.push(path);
    }
    all.sort();
    all
}

fn set_length(file: &Path, change: impl Fn(u64) -> u64) {
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_len(change(file.metadata().unwrap().len())).unwrap();
}

#[test]
fn a_pool_that_is_well_is_said_to_be_with_and_without_its_driver() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let id = scene.create("pvc-1");
    scene.runtime.block_on(scene.controller().create_snapshot(snapshot("snap-1", &id))).unwrap();
    scene.stage(&id);

    let (code, report) = scene.check(&[]);
    assert_eq!((code, faults(&report)), (Some(0), vec![]));
    assert_eq!((&report["besideDriver"], &report["pool"]), (&json!(true), &json!("default")));
    assert_eq!((&report["volumes"], &report["snapshots"]), (&json!(1), &json!(1)));
    assert_eq!(report["promisedBytes"], json!(2_u64 << 29));
    assert!(report["allocatedBytes"].as_u64() > Some(0));
    scene.unstage(&id);
    scene.stop();
    let (code, report) = scene.check(&["default"]);
    assert_eq!((code, faults(&report)), (Some(0), vec![]));
    // Two images, two records, a map, the pool's own file, its ballast and its spare.
    assert_eq!((&report["besideDriver"], &report["files"]), (&json!(false), &json!(8)));
    let words = scene.verb(&["check"]).stdout;
    assert!(words.contains("1 volumes and 1 snapshots, 8 files accounted for"), "{words}");
    assert!(words.ends_with("everything is as it should be\n"), "{words}");

    let Verb { code, stderr, .. } = scene.verb(&["check", "nosuch"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("there is no pool \"nosuch\" in the config; there is: default"));
    fs::remove_file(scene.pool().join("pool.json")).unwrap();
    let Verb { code, stderr, .. } = scene.verb(&["check"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("pool default has not been made yet"), "{stderr}");
}

#[test]
fn every_kind_of_fault_is_seen() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let names = ["short", "gone", "long", "empty", "marked", "half", "extra"];
    let ids = names.map(|name| scene.create(name));
    let [short, gone, long, empty, marked, half, extra] = &ids;
    let image = |id: &str| scene.volume(id).join("data.img");
    set_length(&image(short), |length| length - 4096);
    fs::remove_file(image(gone)).unwrap();
    set_length(&image(long), |length| length + 4096);
    fs::write(scene.volume(empty).join("volume.json"), "").unwrap();
    fs::write(scene.volume(half).join(".volume.json.new"), "{").unwrap();
    fs::write(scene.volume(extra).join("notes"), "x").unwrap();
    fs::write(scene.pool().join("README"), "x").unwrap();
    fs::create_dir(scene.pool().join("volumes/lost")).unwrap();
    fs::write(scene.pool().join("snapshots/file"), "x").unwrap();
    let at = |id: &str, file: &str| format!("volumes/{id}/{file}");
    let mut expected = vec![
        format!("error {}", at(short, "data.img")),
        format!("error {}", at(gone, "data.img")),
        format!("note {}", at(long, "data.img")),
        format!("error {}", at(empty, "volume.json")),
        format!("note {}", at(half, ".volume.json.new")),
        format!("orphan {}", at(extra, "notes")),
        "orphan README".to_owned(),
        "orphan volumes/lost".to_owned(),
        "orphan snapshots/file".to_owned(),
    ];
    expected.sort();
    let sorted = |report: &Value| {
        let mut faults = faults(report);
        faults.sort();
        faults
    };
    let (code, report) = scene.check(&[]);
    assert_eq!((code, sorted(&report)), (FAULTS, expected.clone()));

    // What a driver may be at while it runs, is a fault when it does not.
    scene.stop();
    fs::write(scene.volume(marked).join("frozen"), "").unwrap();
    expected.push(format!("error {}", at(marked, "frozen")));
    fs::create_dir(scene.pool().join("new/v-x")).unwrap();
    expected.push("note new".to_owned());
    fs::write(scene.pool().join("pool.json"), "{}").unwrap();
    expected.push("error pool.json".to_owned());
    expected.sort();
    let before = tree(&scene.pool());
    let (code, report) = scene.check(&["--repair"]);
    assert_eq!((code, sorted(&report)), (FAULTS, expected));
    assert_eq!(tree(&scene.pool()), before, "a dry run changes nothing");
}

#[test]
fn a_lost_record_is_made_again_from_the_name_and_the_data_is_there() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let id = scene.create("pvc-1");
    scene.stage(&id);
    fs::write(ground.path().join("staging/precious"), "data").unwrap();
    scene.unstage(&id);
    fs::remove_file(scene.volume(&id).join("volume.json")).unwrap();

    let refused = scene.verb(&["check", "--repair", "--yes", "--name", "pvc-1"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("pool default is in use by its driver: stop"), "{refused:?}");
    scene.stop();
    // Without the name it is an image of nobody; data goes only when that is said, too.
    let (code, report) = scene.check(&["--repair", "--yes", "--name", "pvc-2"]);
    assert_eq!(code, FAULTS);
    let kept = &report["repairs"][0];
    assert_eq!(kept["outcome"], "kept: it has data; --with-data lets it go");
    assert!(scene.volume(&id).join("data.img").exists());

    let (code, report) = scene.check(&["--repair", "--name", "pvc-1"]);
    assert_eq!(code, FAULTS);
    let planned = &report["repairs"][0];
    assert_eq!(planned["repair"], "adopt it as \"pvc-1\", xfs of 512 MiB");
    assert_eq!(planned["outcome"], "not done: --yes does it");
    let (code, report) = scene.check(&["--repair", "--yes", "--name", "pvc-1"]);
    assert_eq!((code, &report["repairs"][0]["outcome"]), (Some(0), &json!("done")));

    scene.start();
    assert_eq!(scene.create("pvc-1"), id, "the same request finds the same volume");
    scene.stage(&id);
    assert_eq!(fs::read_to_string(ground.path().join("staging/precious")).unwrap(), "data");
    scene.unstage(&id);
    scene.stop();
}

#[test]
fn what_proves_what_it_was_is_adopted_and_the_rest_is_buried() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let (renamed, unfinished, full) = (scene.create("a"), scene.create("b"), scene.create("c"));
    let cut = scene.runtime.block_on(scene.controller().create_snapshot(snapshot("snap-1", &full)));
    let cut = cut.unwrap().into_inner().snapshot.unwrap().snapshot_id;
    scene.stop();
    let volumes = scene.pool().join("volumes");
    fs::rename(scene.volume(&renamed), volumes.join("a.backup")).unwrap();
    let record = scene.volume(&unfinished).join("volume.json");
    fs::rename(&record, record.with_file_name(".volume.json.new")).unwrap();
    fs::remove_file(scene.volume(&full).join("volume.json")).unwrap();
    let of_snapshot = scene.pool().join("snapshots").join(&cut);
    fs::write(of_snapshot.join("notes"), "x").unwrap();
    fs::write(volumes.join("file"), "x").unwrap();

    let (code, report) = scene.check(&["--repair", "--yes", "--with-data"]);
    assert_eq!((code, faults(&report)), (Some(0), vec!["note trash".to_owned()]));
    assert_eq!(report["repairs"].as_array().unwrap().len(), 5);
    assert!(scene.volume(&renamed).join("volume.json").exists() && record.exists());
    assert!(!scene.volume(&full).exists() && !of_snapshot.join("notes").exists());
    // Until the driver starts, what was buried can be dug out.
    assert_eq!(fs::read_dir(scene.pool().join("trash")).unwrap().count(), 3);

    scene.start();
    assert_eq!((scene.create("a"), scene.create("b")), (renamed, unfinished));
    let made = scene.runtime.block_on(scene.controller().create_volume(create("c"))).unwrap();
    assert_eq!(made.into_inner().volume.unwrap().volume_id, full, "its id is free again");
    scene.stop();
    let (code, report) = scene.check(&[]);
    assert_eq!((code, &report["volumes"]), (Some(0), &json!(3)), "{report}");
}

#[test]
fn groups_and_their_members_account_for_each_other() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut scene = Scene::new(ground.path());
    let id = scene.create("pvc-1");
    let mut cut = |name: &str| {
        let mut groups = scene.groups();
        let answer = groups.create_volume_group_snapshot(group(name, &[&id]));
        let answer = scene.runtime.block_on(answer);
        let made = answer.unwrap().into_inner().group_snapshot.unwrap();
        (made.group_snapshot_id, made.snapshots[0].snapshot_id.clone())
    };
    let [whole, headless, robbed, emptied] =
        ["whole", "headless", "robbed", "emptied"].map(&mut cut);
    let (code, report) = scene.check(&[]);
    assert_eq!((code, faults(&report)), (Some(0), vec![]));
    scene.stop();
    let pool = scene.pool();
    fs::remove_dir_all(pool.join("groups").join(&headless.0)).unwrap();
    let robbed_of = pool.join("snapshots").join(&robbed.1);
    unseal(&robbed_of.join("data.img"));
    fs::remove_dir_all(robbed_of).unwrap();
    fs::write(pool.join("groups").join(&emptied.0).join("group.json"), "").unwrap();
    fs::write(pool.join("groups").join(&whole.0).join("other"), "").unwrap();
    let (code, report) = scene.check(&[]);
    assert_eq!(code, FAULTS);
    let mut expected = vec![
        format!("note snapshots/{}", headless.1),
        format!("error groups/{}", robbed.0),
        format!("error groups/{}/group.json", emptied.0),
        format!("orphan groups/{}/other", whole.0),
    ];
    expected.sort();
    let mut found = faults(&report);
    found.sort();
    assert_eq!(found, expected);
}
