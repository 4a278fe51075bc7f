//! What a pod keeps in a volume: one whole thing, replaced by the next in one instant, as a database does it.
//!
//! Each is known by a stamp, which no other has, and every byte of it follows from the stamp. So whoever reads a
//! copy knows which of the things it is, and that none of its bytes is lost.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::dice::Dice;

/// Names a content. Nothing at all is the content 0.
pub(crate) type Stamp = u64;

const LONGEST: usize = 200_000;

/// On a raw device: where the block lies that says which of the two places holds the content.
const HEAD: usize = 4096;
const PLACE: u64 = 1 << 20;

/// Replaces the content of the published volume.
pub(crate) async fn write(target: &Path, stamp: Stamp) -> io::Result<()> {
    let target = target.to_owned();
    in_thread(move || write_now(&target, stamp)).await
}

/// Does the same in this thread.
pub(crate) fn write_now(target: &Path, stamp: Stamp) -> io::Result<()> {
    if target.is_dir() { write_file(target, stamp) } else { write_raw(target, stamp) }
}

/// Returns the content of the published volume, which is a whole one.
pub(crate) async fn read(target: &Path) -> Stamp {
    let target = target.to_owned();
    in_thread(move || read_now(&target)).await
}

/// Does the same in this thread.
pub(crate) fn read_now(target: &Path) -> Stamp {
    if target.is_dir() { read_file(target) } else { read_raw(target) }
}

/// A volume that is just being copied holds its writers up: that must not hold up everybody in here.
async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Returns all bytes of a content: the stamp, and what follows from it.
fn bytes(stamp: Stamp) -> Vec<u8> {
    let mut dice = Dice::new(stamp);
    let words = 1 + dice.below(LONGEST / 8);
    let rest = (0..words).flat_map(|_| dice.roll().to_le_bytes());
    stamp.to_le_bytes().into_iter().chain(rest).collect()
}

fn stamp_of(bytes: &[u8]) -> Stamp {
    Stamp::from_le_bytes(bytes[..8].try_into().unwrap())
}

fn write_file(dir: &Path, stamp: Stamp) -> io::Result<()> {
    let (new, path) = (dir.join("content.new"), content_in(dir));
    fs::write(&new, bytes(stamp))?;
    File::open(&new)?.sync_all()?;
    fs::rename(new, path)?;
    File::open(dir)?.sync_all()
}

fn read_file(dir: &Path) -> Stamp {
    let found = match fs::read(content_in(dir)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return 0,
        found => found.unwrap(),
    };
    assert!(found.len() >= 8, "{} has lost its bytes: {} are left", dir.display(), found.len());
    assert!(found == bytes(stamp_of(&found)), "the content of {} is not whole", dir.display());
    stamp_of(&found)
}

fn content_in(dir: &Path) -> PathBuf {
    dir.join("content")
}

fn write_raw(device: &Path, stamp: Stamp) -> io::Result<()> {
    let device = File::options().read(true).write(true).open(device)?;
    let (_, place) = head_of(&device);
    let place = 1 - place;
    device.write_all_at(&bytes(stamp), (1 + place) * PLACE)?;
    device.sync_all()?;
    let mut head = [stamp.to_le_bytes(), place.to_le_bytes()].concat();
    head.resize(HEAD, 0);
    device.write_all_at(&head, 0)?;
    device.sync_all()
}

fn read_raw(path: &Path) -> Stamp {
    let device = File::open(path).unwrap();
    let (stamp, place) = head_of(&device);
    if stamp != 0 {
        let whole = bytes(stamp);
        let mut found = vec![0; whole.len()];
        device.read_exact_at(&mut found, (1 + place) * PLACE).unwrap();
        assert!(found == whole, "the content of {} is not whole", path.display());
    }
    stamp
}

fn head_of(device: &File) -> (Stamp, u64) {
    let mut head = [0; HEAD];
    device.read_exact_at(&mut head, 0).unwrap();
    let place = stamp_of(&head[8..]);
    assert!(place < 2, "the head of a raw volume is not whole");
    (stamp_of(&head), place)
}
