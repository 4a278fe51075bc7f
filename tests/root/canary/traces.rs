//! What a driver leaves: arguments of programs, figures, files, and what an admin is shown.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use orlop::tool::{self, Program};
use rustix::fs::SeekFrom;

/// Programs that write down how they were started, and then do their work.
#[derive(Debug)]
pub(crate) struct Programs {
    dir: PathBuf,
}

// === impl Programs ===

impl Programs {
    pub(crate) fn watched_in(dir: &Path) -> Self {
        fs::create_dir(dir).unwrap();
        let programs = Self { dir: dir.to_owned() };
        let real = tool::Programs::find();
        let log = programs.log();
        for program in Program::ALL {
            let script = format!(
                "#!/bin/sh\n{{ echo \"$0\" \"$@\"; /usr/bin/env; }} >> '{}'\nexec '{}' \"$@\"\n",
                log.display(),
                real.path(program).unwrap().display()
            );
            let path = dir.join(program.name());
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        programs
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the arguments and environments of all programs that were started.
    pub(crate) fn started(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.dir.join("started")
    }
}

/// Runs a verb, and returns all that it shows, and its exit code.
pub(super) fn admin(args: &[&str], config: &Path) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orlop"));
    let output = command.args(args).arg("--config").arg(config).output().unwrap();
    let shown = [output.stdout, output.stderr].concat();
    (String::from_utf8(shown).unwrap(), output.status.code())
}

/// Scrapes the driver whose log says where.
pub(crate) fn scrape(log: &str) -> String {
    let (_, behind) = log.split_once("127.0.0.1:").expect("the log says where metrics are");
    let port: String = behind.chars().take_while(char::is_ascii_digit).collect();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Appends the bytes that all files below the directory really have, and their names.
pub(super) fn allocated_in(dir: &Path, bytes: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        bytes.extend(entry.file_name().as_encoded_bytes());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            allocated_in(&entry.path(), bytes);
        } else if kind.is_file() {
            append(&File::open(entry.path()).unwrap(), bytes);
        }
    }
}

fn append(file: &File, bytes: &mut Vec<u8>) {
    let mut at = 0;
    while let Ok(begin) = rustix::fs::seek(file, SeekFrom::Data(at)) {
        let end = rustix::fs::seek(file, SeekFrom::Hole(begin)).unwrap();
        let mut part = vec![0; usize::try_from(end - begin).unwrap()];
        let read = file.read_at(&mut part, begin).unwrap();
        bytes.extend(&part[..read]);
        at = end;
    }
}
