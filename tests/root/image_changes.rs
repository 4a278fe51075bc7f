//! What an image pool tells of the blocks of its snapshots, held against every byte of them.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crc32c::{crc32c, crc32c_append};
use orlop::backend::image::{ImagePool, Settings};
use orlop::backend::{Backend, Changes, Local, Part};
use orlop::error::Error;
use orlop::sys::extents::Extents;
use orlop::sys::reflink::{allocate, punch_hole};
use orlop::sys::seal;
use orlop::volume::{Bytes, Name, NewSnapshot, Snapshot, SnapshotId, VolumeId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::image_support::{Disk, wish};
use crate::support::unseal;

const BLOCK: u64 = 4096;

/// How many blocks the volume of the property test has at first.
const BLOCKS: u64 = 512;

/// What happens to a volume.
#[derive(Debug, Clone)]
enum Op {
    /// Blocks are written with this byte, through the device; a run of zeros is data, too.
    Write {
        at: u64,
        count: u64,
        byte: u8,
    },
    /// Blocks are discarded through the device, as fstrim does.
    Discard {
        at: u64,
        count: u64,
    },
    /// Blocks get space, but nothing is written, as a thick pool may do.
    Allocate,
    Expand {
        more: u64,
    },
    Cut,
    /// The map of the last snapshot is lost, as after a crash.
    LoseMap,
    /// One of its bytes is another one, as on a bad disk.
    SpoilMap {
        at: prop::sample::Index,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let run = || (0..BLOCKS * 2, prop_oneof![4 => 1..6_u64, 1 => 1..200_u64]);
    prop_oneof![
        8 => (run(), any::<u8>()).prop_map(|((at, count), byte)| Op::Write { at, count, byte }),
        3 => run().prop_map(|(at, count)| Op::Discard { at, count }),
        1 => Just(Op::Allocate),
        1 => (1..64_u64).prop_map(|more| Op::Expand { more }),
        3 => Just(Op::Cut),
        1 => Just(Op::LoseMap),
        1 => any::<prop::sample::Index>().prop_map(|at| Op::SpoilMap { at }),
    ]
}

/// A raw volume in use, and its snapshots from the oldest on.
struct Story<'a> {
    disk: &'a Disk,
    pool: &'a Arc<ImagePool>,
    id: VolumeId,
    device: PathBuf,
    blocks: u64,
    cuts: Vec<Snapshot>,
}

impl<'a> Story<'a> {
    async fn begin(disk: &'a Disk, pool: &'a Arc<ImagePool>) -> Self {
        let size = Bytes(BLOCKS * BLOCK);
        let wanted = wish("story", orlop::volume::Content::Block, size);
        pool.create(&wanted).await.unwrap();
        let attached = pool.attach(&wanted.id).await.unwrap();
        let device = attached.device.path.clone();
        Self { disk, pool, id: wanted.id, device, blocks: BLOCKS, cuts: Vec::new() }
    }

    async fn tell(&mut self, op: &Op) {
        let within =
            |at: u64, count: u64| (at % self.blocks, count.min(self.blocks - at % self.blocks));
        let map = self.cuts.last().map(|cut| map_of(self.disk, cut)).filter(|map| map.exists());
        match *op {
            Op::Write { at, count, byte } => {
                let (at, count) = within(at, count);
                let bytes = vec![byte; usize::try_from(count * BLOCK).unwrap()];
                self.open().write_all_at(&bytes, at * BLOCK).unwrap();
            }
            Op::Discard { at, count } => {
                let (at, count) = within(at, count);
                punch_hole(&self.open(), at * BLOCK, count * BLOCK).unwrap();
            }
            Op::Allocate => {
                let image =
                    self.disk.pool().join("volumes").join(self.id.as_str()).join("data.img");
                let image = OpenOptions::new().write(true).open(image).unwrap();
                allocate(&image, self.blocks * BLOCK).unwrap();
            }
            Op::Expand { more } => {
                self.blocks += more;
                self.pool.expand(&self.id, Bytes(self.blocks * BLOCK)).await.unwrap();
                self.pool.grow_device(&self.id).await.unwrap();
            }
            Op::Cut => self.cut().await,
            Op::LoseMap => map.iter().for_each(|map| std::fs::remove_file(map).unwrap()),
            Op::SpoilMap { at } => {
                if let Some(map) = map {
                    spoil(&map, |length| at.index(length));
                }
            }
        }
    }

    async fn cut(&mut self) {
        let name = Name::parse(&format!("cut {}", self.cuts.len())).unwrap();
        let wanted = NewSnapshot { id: SnapshotId::of(&name), name, source: self.id.clone() };
        let cut = self.pool.snapshots().unwrap().cut(&wanted).await.unwrap().into_inner();
        self.cuts.push(cut);
    }

    /// Writes every block, the last one first, so that each lies by itself.
    fn fragment(&self) {
        let image = self.disk.pool().join("volumes").join(self.id.as_str()).join("data.img");
        let image = OpenOptions::new().write(true).open(image).unwrap();
        for at in (0..BLOCKS).rev() {
            image.write_all_at(&[7; 4096], at * BLOCK).unwrap();
            image.sync_all().unwrap();
        }
    }

    fn open(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.device).unwrap()
    }

    async fn end(self) {
        self.pool.detach(&self.id).await.unwrap();
        Backend::delete(&**self.pool, &self.id).await.unwrap();
        for cut in &self.cuts {
            self.pool.snapshots().unwrap().delete(&cut.id).await.unwrap();
        }
        self.pool.settled().await;
    }
}

fn image_of(disk: &Disk, cut: &Snapshot) -> PathBuf {
    disk.pool().join("snapshots").join(cut.id.as_str()).join("data.img")
}

fn map_of(disk: &Disk, cut: &Snapshot) -> PathBuf {
    image_of(disk, cut).with_file_name("extents")
}

fn spoil(map: &Path, at: impl FnOnce(usize) -> usize) {
    let mut bytes = std::fs::read(map).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 1;
    std::fs::write(map, bytes).unwrap();
}

fn bytes_of(disk: &Disk, cut: &Snapshot) -> Vec<u8> {
    std::fs::read(image_of(disk, cut)).unwrap()
}

/// Returns all that the pool tells from a byte on.
async fn told(
    changes: &dyn Changes,
    base: Option<&Snapshot>,
    target: &Snapshot,
    from: u64,
) -> Vec<Range<u64>> {
    let (mut next, mut ranges) = (Some(from), Vec::<Range<u64>>::new());
    while let Some(from) = next {
        let part = match base {
            Some(base) => changes.delta(base, target, from).await.unwrap(),
            None => changes.allocated(target, from).await.unwrap(),
        };
        assert!(part.next.is_none_or(|next| next > from), "no end in sight: {part:?}");
        next = part.next;
        for range in part.ranges {
            match ranges.last_mut().filter(|last| last.end == range.start) {
                Some(last) => last.end = range.end,
                None => ranges.push(range),
            }
        }
    }
    let ascending = ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
    assert!(ascending && ranges.iter().all(|range| !range.is_empty()), "{ranges:?}");
    ranges
}

/// Applies the ranges to the base as a backup tool does.
fn restored(base: &[u8], target: &[u8], ranges: &[Range<u64>]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    bytes.resize(target.len(), 0);
    for range in ranges {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        bytes[range.clone()].copy_from_slice(&target[range]);
    }
    bytes
}

async fn holds(story: &Story<'_>) {
    let changes = story.pool.changes().unwrap();
    for (index, target) in story.cuts.iter().enumerate() {
        let bytes = bytes_of(story.disk, target);
        let written = told(changes, None, target, 0).await;
        assert!(restored(&[], &bytes, &written) == bytes, "allocated of cut {index}");
        resumes(changes, None, target, &written).await;
        for (earlier, base) in story.cuts[..index].iter().enumerate() {
            let delta = told(changes, Some(base), target, 0).await;
            let base_bytes = bytes_of(story.disk, base);
            assert!(restored(&base_bytes, &bytes, &delta) == bytes, "cut {earlier} to {index}");
            if earlier + 1 == index {
                resumes(changes, Some(base), target, &delta).await;
            }
        }
    }
}

/// A client that goes on behind any range it got, or in the middle of one, gets the rest.
async fn resumes(
    changes: &dyn Changes,
    base: Option<&Snapshot>,
    target: &Snapshot,
    all: &[Range<u64>],
) {
    for (index, range) in all.iter().enumerate() {
        let behind = told(changes, base, target, range.end).await;
        assert_eq!(behind, all[index + 1..]);
        let middle = range.start + 512;
        let rest = told(changes, base, target, middle).await;
        assert_eq!((rest[0].clone(), &rest[1..]), (middle..range.end, &all[index + 1..]));
    }
}

fn property(cases: u32, settings: impl Fn(&Disk) -> Settings) {
    let disk = Disk::new();
    disk.run_with(settings(&disk), async |pool| {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let stories = prop::collection::vec(op(), 1..40);
        TestRunner::new(config)
            .run(&stories, |ops| {
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(async {
                        let mut story = Story::begin(&disk, &pool).await;
                        for op in &ops {
                            story.tell(op).await;
                        }
                        story.cut().await;
                        holds(&story).await;
                        story.end().await;
                    });
                });
                Ok(())
            })
            .unwrap();
    });
}

/// > An earlier snapshot, with the ranges of GetMetadataDelta copied over it from the later one, is the later one,
/// > byte for byte.
#[test]
fn base_and_delta_are_the_target_in_a_thin_pool() {
    property(24, Disk::thin);
}

#[test]
fn base_and_delta_are_the_target_in_a_thick_pool() {
    property(8, Disk::thick);
}

/// Of a volume on which little was written, little is told: neither what was given space nor what was shared.
///
/// > Ranges that were never written are not told.
#[test]
fn what_was_not_written_is_not_told() {
    let disk = Disk::new();
    disk.run_with(disk.thick(), async |pool| {
        let mut story = Story::begin(&disk, &pool).await;
        story.cut().await;
        story.tell(&Op::Write { at: 7, count: 2, byte: 9 }).await;
        story.cut().await;
        story.tell(&Op::Allocate).await;
        story.cut().await;
        story.tell(&Op::Discard { at: 8, count: 1 }).await;
        story.cut().await;
        let changes = pool.changes().unwrap();
        let blocks = |range: Range<u64>| range.start * BLOCK..range.end * BLOCK;
        let cuts = &story.cuts;
        for (base, target, expected) in [
            (None, 0, vec![]),
            (None, 1, vec![blocks(7..9)]),
            (Some(0), 1, vec![blocks(7..9)]),
            (None, 2, vec![blocks(7..9)]),
            (Some(1), 2, vec![]),
            (Some(2), 3, vec![blocks(8..9)]),
            (None, 3, vec![blocks(7..8)]),
        ] {
            let ranges =
                told(changes, base.map(|index: usize| &cuts[index]), &cuts[target], 0).await;
            assert_eq!(ranges, expected, "{base:?} to {target}");
        }
        story.end().await;
    });
}

/// A deleted snapshot's image is emptied: what is read then must not pass for an answer.
#[test]
fn a_deleted_snapshot_is_not_found_and_neither_is_another_of_its_name() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let mut story = Story::begin(&disk, &pool).await;
        story.tell(&Op::Write { at: 0, count: 100, byte: 1 }).await;
        story.cut().await;
        story.cut().await;
        let (old, kept) = (story.cuts[0].clone(), story.cuts[1].clone());
        let snapshots = pool.snapshots().unwrap();
        snapshots.delete(&old.id).await.unwrap();
        let changes = pool.changes().unwrap();
        let is_gone = |answer: Result<Part, Error>| matches!(answer, Err(Error::NotFound { .. }));
        assert!(is_gone(changes.allocated(&old, 0).await));
        assert!(is_gone(changes.delta(&old, &kept, 0).await));
        let again =
            NewSnapshot { id: old.id.clone(), name: old.name.clone(), source: old.source.clone() };
        let again = snapshots.cut(&again).await.unwrap().into_inner();
        assert!(is_gone(changes.allocated(&old, 0).await), "it is another one");
        assert_eq!(told(changes, None, &again, 0).await.len(), 1);
        story.end().await;
    });
}

/// While a snapshot is deleted and emptied, an answer about it is whole or an error.
///
/// > An answer beside a delete is whole, or no answer.
#[test]
fn an_answer_beside_a_delete_is_whole_or_none() {
    // More than one question to the kernel, so that the end comes between two.
    const PIECES: u64 = 4000;
    let disk = Disk::new();
    disk.run(async |pool| {
        let mut story = Story::begin(&disk, &pool).await;
        story.tell(&Op::Expand { more: 2 * PIECES - BLOCKS }).await;
        let device = story.open();
        for piece in 0..PIECES {
            device.write_all_at(&[1; 4096], piece * 2 * BLOCK).unwrap();
        }
        drop(device);
        let mut whole = 0;
        for round in 0..60 {
            story.cut().await;
            let cut = story.cuts.pop().unwrap();
            // From its map, and from the kernel.
            if round % 2 == 0 {
                std::fs::remove_file(map_of(&disk, &cut)).unwrap();
            }
            let (asking, target) = (Arc::clone(&pool), cut.clone());
            let asked = tokio::spawn(async move {
                let mut answers = 0;
                loop {
                    match asking.changes().unwrap().allocated(&target, 0).await {
                        Ok(part) => assert_eq!(part.ranges.len() as u64, PIECES),
                        Err(Error::NotFound { .. }) => return answers,
                        Err(other) => panic!("{other:?}"),
                    }
                    answers += 1;
                }
            });
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            pool.snapshots().unwrap().delete(&cut.id).await.unwrap();
            whole += asked.await.unwrap();
        }
        assert!(whole > 0);
        story.end().await;
    });
}

#[test]
fn an_image_that_lost_its_end_is_no_answer() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let mut story = Story::begin(&disk, &pool).await;
        story.tell(&Op::Write { at: 0, count: 100, byte: 1 }).await;
        story.cut().await;
        let image = image_of(&disk, &story.cuts[0]);
        unseal(&image);
        let image = OpenOptions::new().write(true).open(image).unwrap();
        image.set_len(50 * BLOCK).unwrap();
        let changes = pool.changes().unwrap();
        let answer = changes.allocated(&story.cuts[0], 0).await;
        let said = crate::image_support::unfit(answer);
        assert!(said.contains("lost data"), "{said}");
        story.end().await;
    });
}

/// btrfs moves extents, and ext4 shares none: such a pool says that it cannot tell.
#[test]
fn only_a_pool_on_an_xfs_that_shares_tells() {
    for (fs, tells) in [("xfs", true), ("btrfs", false), ("ext4", false)] {
        let disk = Disk::with(2 << 30, fs);
        disk.run(async |pool| assert_eq!(pool.changes().is_some(), tells, "{fs}"));
    }
}

/// Has `xfs_fsr` put the file in as few pieces as it can, if it is let. It does not change the ctime.
fn defragment(file: &Path) {
    let status = std::process::Command::new("xfs_fsr").arg(file).status().unwrap();
    eprintln!("xfs_fsr ended with {status}");
}

/// Where the bytes of a file lie.
fn places(file: &Path) -> Vec<(u64, u64)> {
    let file = File::open(file).unwrap();
    Extents::synced(&file)
        .map(|extent| extent.unwrap())
        .map(|one| (one.logical, one.physical))
        .collect()
}

/// > No write, no `rm` and no defragmenter changes a snapshot's image where changed blocks can be told, not even root's.
#[test]
fn nobody_changes_a_snapshot() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let mut story = Story::begin(&disk, &pool).await;
        story.fragment();
        story.cut().await;
        let image = image_of(&disk, &story.cuts[0]);
        let refused = |answer: std::io::Result<()>| {
            assert_eq!(answer.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
        };
        refused(OpenOptions::new().write(true).open(&image).map(drop));
        refused(std::fs::remove_file(&image));
        let before = places(&image);
        assert!(before.len() > 100, "{}", before.len());
        defragment(&image);
        assert_eq!(places(&image), before);
        story.end().await;
    });
}

/// What somebody has moved all the same lies elsewhere than its map says, and its old place may hold other bytes now.
///
/// > A map is believed as long as the image is immutable, and was never anything else since it was listed.
#[test]
fn a_map_of_what_was_moved_is_not_believed() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let mut story = Story::begin(&disk, &pool).await;
        story.fragment();
        story.cut().await;
        let image = image_of(&disk, &story.cuts[0]);
        let (before, content) = (places(&image), std::fs::read(&image).unwrap());
        unseal(&image);
        defragment(&image);
        seal::set(&File::open(&image).unwrap()).unwrap();
        let after = places(&image);
        assert!(after.len() < before.len() / 10, "{} of {}", after.len(), before.len());
        assert_eq!(std::fs::read(&image).unwrap(), content);
        story.cut().await;
        let changes = pool.changes().unwrap();
        let told = told(changes, Some(&story.cuts[0]), &story.cuts[1], 0).await;
        let whole = 0..BLOCKS * BLOCK;
        assert_eq!(told, vec![whole], "what lies elsewhere now counts as changed");
        story.end().await;
    });
}

/// A page of a map, said once more: a checksum that is right in its place, the count, the numbers.
fn page(salt: u32, index: u64, numbers: &[u64]) -> Vec<u8> {
    let mut rest = u32::try_from(numbers.len()).unwrap().to_le_bytes().to_vec();
    rest.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    rest.resize(4092, 0);
    let place = crc32c(&[u64::from(salt).to_le_bytes(), index.to_le_bytes()].concat());
    [&crc32c_append(place, &rest).to_le_bytes()[..], &rest].concat()
}

/// What is forged cannot be told from what the pool has written itself.
#[test]
fn a_map_that_is_of_the_image_as_it_is_now_is_believed() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let mut story = Story::begin(&disk, &pool).await;
        story.tell(&Op::Write { at: 0, count: 100, byte: 1 }).await;
        story.cut().await;
        let cut = &story.cuts[0];
        let stat = std::fs::metadata(image_of(&disk, cut)).unwrap();
        let time = [stat.ctime(), stat.ctime_nsec()].map(i64::cast_unsigned);
        let magic = u64::from_be_bytes(*b"ORLOPMAP");
        let of = [magic, 1, stat.ino(), time[0], time[1], stat.len()];
        let salt = of.iter().fold(0, |sum, number| crc32c_append(sum, &number.to_le_bytes()));
        let first = page(0, 0, &[&of[..], &[1]].concat());
        let pages = [first, page(salt, 1, &[5 * BLOCK, 1 << 20, BLOCK])].concat();
        std::fs::write(map_of(&disk, cut), pages).unwrap();
        let lies = told(pool.changes().unwrap(), None, cut, 0).await;
        assert_eq!(lies, vec![5 * BLOCK..6 * BLOCK]);
        story.end().await;
    });
}

#[test]
fn a_map_that_is_spoiled_in_its_middle_is_read_up_to_there() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let mut story = Story::begin(&disk, &pool).await;
        story.fragment();
        story.cut().await;
        story.tell(&Op::Write { at: 300, count: 50, byte: 3 }).await;
        story.tell(&Op::Discard { at: 400, count: 9 }).await;
        story.cut().await;
        for (cut, place) in story.cuts.iter().zip([3, 2]) {
            spoil(&map_of(&disk, cut), |length| {
                assert!(length >= 4 * 4096, "{length}");
                place * 4096 + 100
            });
        }
        holds(&story).await;
        story.end().await;
    });
}

#[test]
fn a_map_that_is_no_file_is_none() {
    let disk = Disk::new();
    disk.run(async |pool| {
        let mut story = Story::begin(&disk, &pool).await;
        story.tell(&Op::Write { at: 0, count: 100, byte: 1 }).await;
        story.cut().await;
        let map = map_of(&disk, &story.cuts[0]);
        std::fs::remove_file(&map).unwrap();
        nix::unistd::mkfifo(&map, nix::sys::stat::Mode::S_IRWXU).unwrap();
        holds(&story).await;
        story.end().await;
    });
}
