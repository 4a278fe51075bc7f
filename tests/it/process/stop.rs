//! How a driver ends.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::program::Room;

#[test]
fn sigterm_and_sigint_end_it_well() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let room = Room::new();
        let driver = room.start(&[]);
        driver.signal(signal);
        let ended = driver.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("asked to stop signal=\"{signal}\"")),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("stopped after="), "{}", ended.stderr);
        assert!(!room.socket().exists());
    }
}

#[test]
fn an_idle_client_does_not_keep_it_from_ending() {
    let room = Room::new();
    let driver = room.start(&[]);
    let _mute = UnixStream::connect(room.socket()).unwrap();
    let began = Instant::now();
    assert_eq!(driver.stop().code, Some(0));
    assert!(began.elapsed() < Duration::from_secs(5));
}
