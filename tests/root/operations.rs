//! docs/operations.md, command by command: each is run as far as a test machine has what it is for, in the order
//! of the page, against a driver with a real pool.
//!
//! A command that this test does not know fails it: whoever adds one says here how it is tried.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orlop::csi::v1::controller_client::ControllerClient;

use crate::driver::connect;
use crate::process::Process;
use crate::requests::create;
use crate::rig::Ground;
use crate::scrape;
use crate::support::{Image, MIB, in_mount_namespace};

const PAGE: &str = include_str!("../../docs/operations.md");
const UNIT: &str = include_str!("../../deploy/systemd/orlop.service");
const MAKEFILE: &str = include_str!("../../Makefile");
const CONFIG: &str = "/etc/orlop.yaml";
const METRICS: &str = "http://127.0.0.1:9790";

/// The node that the page is followed on.
struct Node<'a> {
    room: &'a Path,
    config: String,
    driver: Option<Process>,
    volume: String,
}

/// A command of the page: its words, and the file that its output goes to.
#[derive(Debug)]
struct Line<'a> {
    words: Vec<&'a str>,
    into: Option<&'a str>,
}

/// Returns the commands of the page.
fn lines() -> Vec<Line<'static>> {
    let blocks = PAGE.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).filter(|line| !line.is_empty());
    let parse = |line: &'static str| {
        let (command, into) = line.split_once(" >").map_or((line, None), |(a, b)| (a, Some(b)));
        Line { words: command.split_whitespace().collect(), into }
    };
    lines.map(parse).collect()
}

/// Returns the path of a file of the repository.
fn in_repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl<'a> Node<'a> {
    fn new(room: &'a Path) -> Self {
        let config = format!(
            "pools: [{{name: fast, kind: image, path: {}}}]\nmetrics: {{address: '127.0.0.1:0'}}\n",
            room.join("pool").display()
        );
        Self { room, config, driver: None, volume: String::new() }
    }

    fn start(&mut self) {
        assert!(self.driver.is_none(), "the driver runs already");
        let driver = Process::start(self.room, &self.config, &[]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        self.volume = runtime.block_on(async {
            let mut controller = ControllerClient::new(connect(driver.socket.clone()).await);
            let made = controller.create_volume(create("pvc-1")).await.unwrap();
            made.into_inner().volume.unwrap().volume_id
        });
        self.driver = Some(driver);
    }

    /// Does the line, and returns what it prints.
    fn follow(&mut self, line: &Line<'_>) -> String {
        match line.words.as_slice() {
            ["export", variable] => {
                assert_eq!(*variable, format!("ORLOP_CONFIG={CONFIG}"));
                assert!(
                    UNIT.contains(&format!("--config {CONFIG}")),
                    "the unit has another config"
                );
            }
            ["make", target] => assert!(MAKEFILE.contains(&format!("\n{target}:"))),
            ["sudo", "install", "-m", _, from, to] => {
                let is_built = *from == "target/release/orlop" && UNIT.contains(&format!("={to} "));
                assert!(is_built || in_repository(from).exists(), "{line:?}");
            }
            ["sudo", "systemctl", "daemon-reload"]
            | ["kubectl", "apply", "-f", "legacy-db.yaml"] => {}
            ["sudo", "systemctl", "start", "orlop"]
            | ["sudo", "systemctl", "enable", "--now", "orlop"] => self.start(),
            ["sudo", "systemctl", "stop", "orlop"] => {
                assert!(self.driver.take().expect("the driver runs").stop().success());
            }
            ["orlop", "import", .., image] => {
                let image = image.strip_prefix("/srv/images/").unwrap();
                Image::formatted(self.room, image, 64 * MIB, "ext4");
                let printed = self.orlop(&line.words[1..]);
                assert!(printed.contains("kind: PersistentVolume"), "{printed}");
                return printed;
            }
            ["orlop", rest @ ..] if rest.contains(&"--watch") => return self.watch(rest),
            ["orlop", rest @ ..] => return self.orlop(rest),
            ["curl", "-s", url] => return self.get(url.strip_prefix(METRICS).unwrap()),
            ["sudo", "tar", rest @ ..] => return self.tar(rest),
            // The journal and the kernel's log are not a container's to read: that the programs know the options
            // is their own affair.
            ["sudo", "journalctl" | "dmesg", ..] => return "a log".to_owned(),
            [program @ ("cat" | "losetup" | "uname"), rest @ ..] => {
                return said(Command::new(program).args(rest).output().unwrap(), line);
            }
            _ => panic!("{line:?}: say here how it is tried"),
        }
        String::new()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orlop"));
        let volume = self.volume.as_str();
        for arg in args {
            match arg.strip_prefix("/srv/images/") {
                Some(image) => command.arg(self.room.join(image)),
                None => command.arg(if *arg == "VOLUME" { volume } else { arg }),
            };
        }
        command.env("ORLOP_CONFIG", self.room.join("orlop.yaml"));
        command
    }

    fn orlop(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        // What doctor finds depends on the machine.
        let may_find = args[0] == "doctor" && output.status.code() == Some(1);
        assert!(output.status.success() || may_find, "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Watches until something was told.
    fn watch(&self, args: &[&str]) -> String {
        let mut child = self.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        assert!(child.wait().unwrap().success());
        line
    }

    fn get(&self, path: &str) -> String {
        let log = self.driver.as_ref().expect("the driver runs").said();
        // Each start adds to the log.
        let at = log.rsplit("http://").next().unwrap().split("/metrics").next().unwrap();
        let answer = scrape::get(at.parse().unwrap(), path);
        assert_eq!(answer.status, 200, "{path}");
        answer.body
    }

    /// Packs this node's pool instead of one that has a mount of its own.
    fn tar(&self, args: &[&str]) -> String {
        let [options @ .., "-C", _, "fast"] = args else { panic!("{args:?}") };
        let room = self.room.display().to_string();
        let packed = Command::new("tar")
            .args(options)
            .args(["-C", &room, "pool"])
            .current_dir(self.room)
            .output()
            .unwrap();
        assert!(packed.status.success(), "{packed:?}");
        let archive = self.room.join("records.tar.gz");
        let listed = Command::new("tar").arg("-tzf").arg(archive).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let record = format!("pool/volumes/{}/volume.json", self.volume);
        assert!(listed.contains(&record) && !listed.contains("data.img"), "{listed}");
        listed
    }
}

fn said(output: Output, line: &Line<'_>) -> String {
    assert!(output.status.success(), "{line:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_command_of_the_page_does_what_it_is_there_for() {
    in_mount_namespace();
    let ground = Ground::new();
    let mut node = Node::new(ground.path());
    let lines = lines();
    assert!(lines.len() > 40, "{} commands", lines.len());
    for line in &lines {
        let output = node.follow(line);
        match line.into {
            Some(file) if Path::new(file).extension().is_some_and(|ending| ending == "json") => {
                let json: serde_json::Value = serde_json::from_str(&output).expect(file);
                assert!(json.is_array(), "{file}");
            }
            Some(file) => assert!(!output.is_empty(), "{file}"),
            None => {}
        }
    }
    assert!(node.driver.take().unwrap().stop().success());
    drop(fs::remove_file(ground.path().join("records.tar.gz")));
}

#[test]
fn the_links_of_the_page_lead_somewhere() {
    for link in PAGE.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(in_repository("docs").join(link).exists(), "{link}");
    }
}
