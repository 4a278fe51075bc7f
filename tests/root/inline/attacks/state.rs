//! In `stateDir` and in the directory of emptyDirs: names that are not what they seem.

use std::fs;
use std::os::unix::fs::symlink;

use orlop::ephemeral::Role;
use serde_json::json;

use super::super::rig::{Node, Volume, on_node};
use super::Victim;

#[test]
fn attack_a_record_that_is_a_link() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let victim = Victim::of(&node);
        let volume = Volume::of(1).with("medium", "Memory");
        let record = node.path(&format!("state/inline/scratch/{}.json", volume.id()));
        let temporary = node.path(&format!("state/inline/scratch/.{}.json.new", volume.id()));
        for to in ["precious", "absent"] {
            symlink(victim.join(to), &record).unwrap();
            assert!(node.publish(&inline, &volume).await.is_err(), "{to}");
            victim.is_untouched(to);
            fs::remove_file(&record).unwrap();
            symlink(victim.join(to), &temporary).unwrap();
            node.publish(&inline, &volume).await.unwrap();
            victim.is_untouched(to);
            node.unpublish(&inline, &volume).await.unwrap();
        }
        node.is_clean();
    });
}

#[test]
fn attack_a_record_that_says_what_is_not_so() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let victim = Victim::of(&node);
        let [own, other] = [1, 2].map(|pod| Volume::of(pod).with("enforcement", "none"));
        node.publish(&inline, &other).await.unwrap();
        fs::write(node.target(&other).join("words"), "kept").unwrap();
        let record = node.path(&format!("state/inline/scratch/{}.json", own.id()));
        for kept in [
            json!({ "backing": "directory", "path": victim.path() }),
            json!({ "backing": "directory", "id": other.id().to_string() }),
            json!({ "backing": "../../host/victim" }),
            json!({ "backing": "image", "size": -1, "fs": "../../x" }),
            json!([[[]]]),
        ] {
            let forged = json!({
                "format": 1, "namespace": "../../host/victim", "pod": "../../host/victim",
                "uid": own.uid, "kind": "emptyDir", "digest": "00", "kept": kept,
                "mounted": { "device": 1, "inode": 1 },
            });
            fs::write(&record, forged.to_string()).unwrap();
            node.unpublish(&inline, &own).await.unwrap();
            assert!(!record.exists());
            victim.is_untouched(&forged.to_string());
            assert_eq!(fs::read_to_string(node.target(&other).join("words")).unwrap(), "kept");
        }
        node.unpublish(&inline, &other).await.unwrap();
        node.is_clean();
    });
}

#[test]
fn attack_a_link_in_place_of_what_an_empty_dir_is_kept_in() {
    on_node(Role::Scratch, async |node: Node| {
        let inline = node.start();
        let victim = Victim::of(&node);
        let place = |ending: &str| node.path(&format!("scratch/{}{ending}", Volume::of(1).id()));
        for (ending, to, enforcement, is_made) in [
            (".img", "precious", "loop", false),
            (".img", "absent", "loop", false),
            // What a killed driver has begun is begun anew.
            (".new", "precious", "loop", true),
            ("", "d", "none", false),
            ("", "absent", "none", false),
        ] {
            let volume = Volume::of(1).with("enforcement", enforcement);
            symlink(victim.join(to), place(ending)).unwrap();
            let answer = node.publish(&inline, &volume).await;
            assert_eq!(answer.is_ok(), is_made, "{ending} {to}: {answer:?}");
            victim.is_untouched(ending);
            node.unpublish(&inline, &volume).await.unwrap();
            victim.is_untouched(ending);
            assert!(!place(ending).is_symlink());
        }
        node.is_clean();
    });
}
