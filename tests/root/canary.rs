//! A secret is nowhere: it is planted in every field that may carry one, in calls that succeed and in calls that fail,
//! and then looked for in all that the driver writes, says and starts.

mod calls;
mod plant;
pub(crate) mod traces;

use std::cell::Cell;
use std::fs;
use std::path::Path;

use tonic::transport::Channel;

use self::plant::{CANARY, Where, planted};
use self::traces::{Programs, admin, allocated_in, scrape};
use crate::dice::Dice;
use crate::driver::{connect, text};
use crate::left::Swept;
use crate::process::Process;
use crate::random::{Choices, RPCS};
use crate::raw::{frame, post};
use crate::rig::Ground;
use crate::support::{block_on, in_mount_namespace};

/// A volume's name is no secret. It is found where a secret would be, or the search is worth nothing.
const PLAIN: &str = "in-plain-sight";

/// Requests of any kind, besides those of a volume's life.
const RANDOM: usize = 400;

/// The libraries below the driver tell everything, too.
const EVERYTHING: &str = "trace,h2=trace,hyper=trace,hyper_util=trace,tonic=trace,tower=trace";

/// The calls to one driver.
struct Caller {
    channel: Channel,
    /// How many secrets were sent.
    sent: Cell<usize>,
}

/// > Secrets, the tokens of a pod and the passwords in mount flags or parameters are in no error, figure, file or
/// > argument of a program, nor in what an admin is shown.
#[test]
fn a_secret_is_in_no_line_error_figure_file_or_argument() {
    in_mount_namespace();
    for format in ["text", "json"] {
        let ground = Ground::new();
        let swept = Swept(ground.path().to_owned());
        let programs = Programs::watched_in(&ground.path().join("bin"));
        let config = config(ground.path(), &programs);
        let variables = [("ORLOP_LOG_FORMAT", format)];
        let driver = Process::start(ground.path(), &config, &variables);
        let file = ground.path().join("orlop.yaml");
        assert_eq!(admin(&["log-level", EVERYTHING], &file).1, Some(0));

        block_on(async {
            let channel = connect(driver.socket.clone()).await;
            let caller = Caller { channel, sent: Cell::new(0) };
            calls::life(&caller, ground.path(), || look_from_outside(&file, &driver)).await;
            anything(&caller, ground.path()).await;
            assert!(caller.sent.get() > RANDOM, "only {} secrets were sent", caller.sent.get());
        });
        let started = programs.started();
        assert!(started.contains("mkfs.xfs") && started.contains("mkfs.ext4"), "{started}");
        clean("a program was started with", &started);
        let said = driver.said();
        assert!(said.contains("TRACE") && said.contains("h2::"), "the log tells little");
        clean("logged", &said);
        driver.kill();
        drop(swept);
    }
}

fn config(room: &Path, programs: &Programs) -> String {
    let room = text(room);
    let dir = text(programs.dir());
    format!(
        "attach: on\nprogramDirs: [{dir}]\nmetrics: {{address: '127.0.0.1:0'}}\n\
         pools: [{{name: default, kind: image, path: {room}/pool, provisioning: thin, ratio: 1000}}]\n"
    )
}

/// While volumes are there and in use: figures, what an admin is shown, and every file below the pool and the state.
fn look_from_outside(config: &Path, driver: &Process) {
    let figures = scrape(&driver.said());
    assert!(figures.contains("orlop_"), "{figures}");
    clean("a figure shows", &figures);
    for verb in ["volumes", "snapshots", "pools", "check", "doctor"] {
        for more in [&[][..], &["--output", "json"][..]] {
            let (shown, _) = admin(&[&[verb], more].concat(), config);
            clean(&format!("orlop {verb} shows"), &shown);
        }
    }
    let (shown, _) = admin(&["volumes"], config);
    assert!(shown.contains(PLAIN), "{shown}");
    let room = config.parent().unwrap();
    let mut bytes = Vec::new();
    for place in ["pool", "state"] {
        allocated_in(&room.join(place), &mut bytes);
    }
    assert!(has(&bytes, PLAIN), "records are found");
    assert!(!has(&bytes, CANARY), "a file holds the secret");
    clean("a mount shows", &fs::read_to_string("/proc/self/mountinfo").unwrap());
}

#[track_caller]
fn clean(what: &str, shown: &str) {
    let line = shown.lines().find(|line| line.contains(CANARY));
    assert!(line.is_none(), "{what} the secret: {line:?}");
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Every RPC with nothing but secrets, and then anything at all with secrets in it.
async fn anything(caller: &Caller, room: &Path) {
    for rpc in RPCS.iter() {
        caller.post(&rpc.path, &[], Where::Everywhere).await;
    }
    let paths = room.join("paths");
    fs::create_dir_all(&paths).unwrap();
    let mut dice = Dice::new(1);
    for _ in 0..RANDOM {
        let bytes: Vec<u8> = (0..160).map(|_| dice.roll().to_le_bytes()[0]).collect();
        let any = Choices::new(&bytes, &paths).any();
        caller.post(any.path, &any.bytes, Where::Everywhere).await;
    }
}

// === impl Caller ===

impl Caller {
    /// Sends the request with secrets in it, and returns whether it succeeded.
    async fn post(&self, path: &str, request: &[u8], places: Where) -> bool {
        let Some(bytes) = planted(path, request, places) else { return false };
        let sent = bytes.windows(CANARY.len()).filter(|window| *window == CANARY.as_bytes());
        self.sent.set(self.sent.get() + sent.count());
        let status = post(&mut self.channel.clone(), path, frame(&bytes)).await;
        clean(&format!("{path} answers"), &format!("{status:?}"));
        status.code() == tonic::Code::Ok
    }
}
