//! A driver that is started wrongly fails at once and says what to change.

use std::fs;

use super::program::{Process, Room};

struct Case<'a> {
    args: &'a [&'a str],
    /// `ROOM` stands for the path of the room.
    config: &'a str,
    code: i32,
    /// A part of stderr.
    says: &'a str,
}

const GOOD: &str = "nodeId: n1\nstateDir: ROOM/state\npools: [{name: play, kind: memory}]\n";

const BOX: &str = "nodeId: n1\nstateDir: ROOM/state\npools: [{name: box, kind: image, file: ROOM/box.img, size: 1Gi}]\n";

const CASES: &[Case<'_>] = &[
    Case { args: &[], config: GOOD, code: 2, says: "Usage: orlop <COMMAND>" },
    Case { args: &["serve"], config: GOOD, code: 2, says: "unrecognized subcommand 'serve'" },
    Case {
        args: &["all", "--endpoint", "tcp://127.0.0.1:1"],
        config: GOOD,
        code: 2,
        says: "is not a Unix socket",
    },
    Case {
        args: &["all", "--endpoint", "csi.sock"],
        config: GOOD,
        code: 2,
        says: "by an absolute path",
    },
    Case { args: &["all", "--node-id", "-"], config: GOOD, code: 2, says: "cannot be a node id" },
    Case {
        args: &["all", "--log-format", "xml"],
        config: GOOD,
        code: 2,
        says: "[possible values: text, json]",
    },
    Case {
        args: &["all", "--log-level", "loud"],
        config: GOOD,
        code: 2,
        says: "\"loud\" is not a log level",
    },
    Case {
        args: &["all", "--endpoint", "ROOM/none/csi.sock"],
        config: GOOD,
        code: 1,
        says: "cannot use the directory ROOM/none of the socket: No such file",
    },
    Case {
        args: &["all", "--endpoint", "ROOM/file"],
        config: GOOD,
        code: 1,
        says: "ROOM/file is there and is not a socket",
    },
    Case {
        args: &["all", "--endpoint", "ROOM/dir"],
        config: GOOD,
        code: 1,
        says: "ROOM/dir is there and is not a socket",
    },
    Case { args: &["controller"], config: GOOD, code: 2, says: "no endpoint: give --endpoint" },
    Case {
        args: &["all", "--endpoint", "ROOM/csi.sock"],
        config: "pools: []",
        code: 2,
        says: "orlop: ROOM/orlop.yaml:1: pools: names no pool",
    },
    Case {
        args: &["all", "--endpoint", "ROOM/csi.sock"],
        config: "nodeId: n1\nstateDir: ROOM/file/state\npools: [{name: play, kind: memory}]",
        code: 1,
        says: "cannot make stateDir ROOM/file/state",
    },
    Case {
        args: &["all", "--endpoint", "ROOM/csi.sock"],
        config: "nodeId: n1\nstateDir: ROOM/LONG\npools: [{name: play, kind: memory}]",
        code: 2,
        says: "the path of a socket may have 107",
    },
    Case {
        args: &["adopt", "other"],
        config: GOOD,
        code: 2,
        says: "there is no pool \"other\" in the config; there is: play",
    },
    Case {
        args: &["volumes"],
        config: GOOD,
        code: 2,
        says: "a pool of kind memory can be read by its driver alone",
    },
    Case {
        args: &["volumes"],
        config: BOX,
        code: 1,
        says: "cannot read pool box: pool box is not mounted at ROOM/state/mounts/box: only the driver mounts it",
    },
    Case { args: &["doctor"], config: "pools: []", code: 2, says: "" },
    Case {
        args: &["detach", "nonsense"],
        config: GOOD,
        code: 1,
        says: "volume nonsense does not exist",
    },
];

#[test]
fn every_mistake_fails_at_once_and_says_what_it_is() {
    let mut wrong = Vec::new();
    for case in CASES {
        let room = Room::new();
        let in_room = |text: &str| {
            text.replace("ROOM", room.path("").to_str().unwrap().trim_end_matches('/'))
                .replace("LONG", &"x".repeat(100))
        };
        fs::write(room.path("file"), "precious").unwrap();
        fs::create_dir(room.path("dir")).unwrap();
        room.write_config(&in_room(case.config));
        let args: Vec<String> = case.args.iter().map(|arg| in_room(arg)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let config = room.config().display().to_string();
        let ended = Process::start(&args, &[("ORLOP_CONFIG", &config)]).end();
        let well = ended.code == Some(case.code) && ended.stderr.contains(&in_room(case.says));
        let clean =
            !room.socket().exists() && fs::read_to_string(room.path("file")).unwrap() == "precious";
        if !well || !clean {
            wrong.push(format!("{:?}: {ended:?}", case.args));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_missing_config_is_named() {
    let ended = Process::start(&["all", "--config", "/nonexistent.yaml"], &[]).end();
    assert_eq!(ended.code, Some(2));
    assert_eq!(
        ended.stderr,
        "orlop: cannot read the config /nonexistent.yaml: No such file or directory (os error 2)\n"
    );
}
