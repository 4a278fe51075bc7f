//! Freezing a file system, and thawing it whatever happens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orlop::sys::freeze::{freeze, is_in_sight, syncfs, thaw};
use rustix::io::Errno;

use crate::support::{Image, MIB, TempPool, in_mount_namespace, mount_at, new_dir};

#[test]
fn a_frozen_file_system_makes_writers_wait() {
    in_mount_namespace();
    let pool = TempPool::new();
    let file = pool.path().join("file");
    let written = AtomicBool::new(false);
    syncfs(&mount_at(&pool.path())).unwrap();
    let frozen = freeze(&mount_at(&pool.path())).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::fs::write(&file, "late").unwrap();
            written.store(true, Ordering::Relaxed);
        });
        std::thread::sleep(Duration::from_millis(200));
        assert!(!written.load(Ordering::Relaxed));
        assert!(frozen.thaw().unwrap());
    });
    assert_eq!(std::fs::read(&file).unwrap(), b"late");
}

#[test]
fn a_file_system_is_frozen_once_and_thawed_in_any_case() {
    in_mount_namespace();
    let pool = TempPool::new();
    assert!(!thaw(&mount_at(&pool.path())).unwrap());
    let frozen = freeze(&mount_at(&pool.path())).unwrap();
    assert_eq!(freeze(&mount_at(&pool.path())).unwrap_err().errno(), Some(Errno::BUSY));
    drop(frozen);
    assert!(!thaw(&mount_at(&pool.path())).unwrap());

    let frozen = freeze(&mount_at(&pool.path())).unwrap();
    // Somebody else was quicker: what was copied meanwhile is not of one moment.
    assert!(thaw(&mount_at(&pool.path())).unwrap());
    assert!(!frozen.thaw().unwrap());
    std::fs::write(pool.path().join("file"), "").unwrap();
}

#[test]
fn a_mount_that_is_covered_is_refused_and_what_covers_it_left_alone() {
    in_mount_namespace();
    let pool = TempPool::new();
    let below = mount_at(&pool.path());
    let above = Image::formatted(pool.outside(), "above.img", 64 * MIB, "ext4");
    let _covering = above.mount("ext4", &pool.path());
    assert!(!is_in_sight(&below));
    for refused in [freeze(&below).map(drop), thaw(&below).map(drop), syncfs(&below)] {
        assert!(refused.unwrap_err().source.to_string().contains("is not what is seen there"));
    }
    let there = new_dir(pool.outside(), "elsewhere");
    let _again = above.mount("ext4", &there);
    assert!(freeze(&mount_at(&there)).unwrap().thaw().is_ok());
}
