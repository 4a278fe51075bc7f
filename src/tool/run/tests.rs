//! These start a shell under the name of a program of ours: what is tested is how programs are run, not which.

use std::fs::File;
use std::os::unix::fs::symlink;

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use super::*;
use crate::sys::beneath::Dir;
use crate::tool::{Program, Programs};

const LONG: Duration = Duration::from_mins(1);
/// Long enough for a shell to begin on a busy machine.
const SHORT: Duration = Duration::from_secs(1);

/// A place where `blkid` is a shell.
fn programs() -> (TempDir, Programs) {
    let dir = tempfile::tempdir().unwrap();
    symlink("/bin/sh", dir.path().join("blkid")).unwrap();
    let programs = Programs::find_in(&[dir.path()]);
    (dir, programs)
}

fn shell(script: &str, limit: Duration) -> Invocation {
    Invocation::new(Program::Blkid, ["-c", script], limit)
}

async fn run_shell(script: &str, limit: Duration) -> Result<Output, ToolError> {
    Call::from(shell(script, limit)).run_from(&programs().1).await
}

fn is_alive(pid: Pid) -> bool {
    test_kill_process(pid).is_ok()
}

/// Waits until a script has written a line of process ids, and returns them.
async fn pids_in(path: &Path) -> Vec<Pid> {
    for _ in 0..500 {
        if let Some(line) = std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n')) {
            let pids = line.split_whitespace().map(|pid| pid.parse().unwrap());
            return pids.map(|pid| Pid::from_raw(pid).unwrap()).collect();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the script wrote nothing");
}

/// Waits until the process is gone; who inherits an orphan needs a moment to reap it.
async fn is_gone_soon(pid: Pid) -> bool {
    for _ in 0..500 {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid()));
        if !is_alive(pid) || state.is_ok_and(|stat| stat.contains(") Z ")) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn output_and_code_come_back() {
    let output = run_shell("echo out; echo err >&2", LONG).await.unwrap();
    let expected = Output { stdout: "out\n".into(), stderr: "err\n".into(), code: 0 };
    assert_eq!(output, expected);
}

#[tokio::test]
async fn a_program_that_was_uninstalled_since_is_missing() {
    let (dir, programs) = programs();
    std::fs::remove_file(dir.path().join("blkid")).unwrap();
    let missing = Call::from(shell("true", LONG)).run_from(&programs).await.unwrap_err();
    assert_eq!(missing.to_string(), "blkid is not installed (package util-linux)");
}

#[tokio::test]
async fn the_environment_is_ours() {
    let script = "echo $LC_ALL-$HOME-$CARGO_MANIFEST_DIR; cat; cat /proc/self/oom_score_adj";
    // It may be started before the score is set.
    let output = run_shell(&format!("sleep 0.2; {script}"), LONG).await.unwrap();
    assert_eq!(output.stdout, "C--\n500\n");
}

#[tokio::test]
async fn other_codes_fail_unless_they_are_accepted() {
    let failed = run_shell("echo why >&2; exit 4", LONG).await.unwrap_err();
    let message = "blkid -c echo why >&2; exit 4 failed (exit status: 4): why";
    assert_eq!(failed.to_string(), message);
    let call = shell("exit 1", LONG).accepting(&[0, 1]);
    assert_eq!(call.run_from(&programs().1).await.unwrap().code, 1);
    let killed = run_shell("kill -9 $$", LONG).await.unwrap_err();
    assert!(matches!(killed, ToolError::Failed { .. }), "{killed}");
}

#[tokio::test]
async fn a_missing_program_is_named_with_its_package() {
    let call = Call::from(Invocation::new(Program::MkfsXfs, ["-f"], LONG));
    let missing = call.run_from(&programs().1).await.unwrap_err();
    assert_eq!(missing.to_string(), "mkfs.xfs is not installed (package xfsprogs)");
}

#[tokio::test]
async fn the_limit_kills_the_whole_group() {
    let (dir, programs) = programs();
    let list = dir.path().join("pids");
    let script = format!("sleep 60 & a=$!; sleep 60 & echo $$ $a $! > {}; wait", list.display());
    let begin = Instant::now();
    let slow = Call::from(shell(&script, SHORT)).run_from(&programs).await.unwrap_err();
    assert!(matches!(slow, ToolError::TooSlow { .. }), "{slow}");
    assert!(begin.elapsed() < GRACE);
    let pids = pids_in(&list).await;
    assert_eq!(pids.len(), 3);
    for pid in pids {
        assert!(is_gone_soon(pid).await, "{pid:?} is left");
    }
}

#[tokio::test]
async fn a_child_that_keeps_the_output_open_does_not_delay_the_end() {
    let begin = Instant::now();
    let output = run_shell("sleep 5 & echo done", LONG).await.unwrap();
    assert_eq!(output.stdout, "done\n");
    assert!(begin.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn who_is_asked_to_end_gets_the_time_for_it() {
    let (dir, programs) = programs();
    let done = dir.path().join("done");
    let script =
        format!("trap 'sleep 0.5; echo > {}; exit 0' TERM; sleep 60 & wait", done.display());
    let gentle = shell(&script, SHORT).on_limit(OnLimit::TerminateAndWait);
    let slow = Call::from(gentle).run_from(&programs).await.unwrap_err();
    assert!(matches!(slow, ToolError::TooSlow { .. }), "{slow}");
    assert!(done.exists());
}

#[tokio::test]
async fn a_dropped_call_kills_only_what_may_be_killed() {
    for (on_limit, survives) in [(OnLimit::Kill, false), (OnLimit::TerminateAndWait, true)] {
        let (dir, programs) = programs();
        let list = dir.path().join("pids");
        let script = format!("sleep 60 & echo $$ $! > {}; echo x; wait", list.display());
        let call = Call::from(shell(&script, LONG).on_limit(on_limit));
        let task = tokio::spawn(async move { call.run_from(&programs).await });
        let pids = pids_in(&list).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        for pid in pids {
            assert_eq!(!is_gone_soon_if(!survives, pid).await, survives, "{on_limit:?}");
            if survives {
                rustix::process::kill_process(pid, Signal::KILL).unwrap();
            }
        }
    }
}

/// Waits for the end of one that shall end, and only looks at one that shall not.
async fn is_gone_soon_if(expected: bool, pid: Pid) -> bool {
    if expected { is_gone_soon(pid).await } else { !is_alive(pid) }
}

#[tokio::test]
async fn the_lock_is_held_as_long_as_the_program_lives() {
    let (temp, programs) = programs();
    let dir = Dir::open(temp.path()).unwrap();
    let lock = dir.try_lock().unwrap().unwrap();
    let ready = temp.path().join("ready");
    let script =
        format!("echo 1 > {}; while [ ! -e {0}.end ]; do sleep 0.02; done", ready.display());
    let call = shell(&script, LONG).holding(lock.into());
    let task = tokio::spawn(async move { call.run_from(&programs).await });
    pids_in(&ready).await;
    // We have no copy of the descriptor any more.
    assert!(dir.try_lock().unwrap().is_none());
    drop(File::create(temp.path().join("ready.end")).unwrap());
    task.await.unwrap().unwrap();
    assert!(dir.try_lock().unwrap().is_some());
}
