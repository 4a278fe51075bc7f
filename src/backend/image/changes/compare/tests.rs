use linux_raw_sys::ioctl::{
    FIEMAP_EXTENT_DELALLOC, FIEMAP_EXTENT_SHARED, FIEMAP_EXTENT_UNKNOWN, FIEMAP_EXTENT_UNWRITTEN,
};
use proptest::prelude::*;

use super::*;

const BLOCK: u64 = 4096;

/// What a block of an image is, for the model that has a value for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Hole,
    Unwritten(u64),
    Written(u64),
    Delayed,
}

fn block() -> impl Strategy<Value = Block> {
    // Few places, so that two images often share one; neighbours, so that extents grow long.
    prop_oneof![
        3 => Just(Block::Hole),
        2 => (0..6_u64).prop_map(Block::Unwritten),
        8 => (0..6_u64).prop_map(Block::Written),
        1 => Just(Block::Delayed),
    ]
}

/// Two images that have most blocks in common, as snapshots of one volume do.
fn images() -> impl Strategy<Value = (Vec<Block>, Vec<Block>)> {
    let image = prop::collection::vec(block(), 0..40);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), block()), 0..12);
    (image, changes, prop::collection::vec(block(), 0..8)).prop_map(|(base, changes, more)| {
        let mut target = base.clone();
        for (index, block) in changes {
            if !target.is_empty() {
                let at = index.index(target.len());
                target[at] = block;
            }
        }
        target.extend(more);
        (base, target)
    })
}

/// Returns the image's extents; `cuts` says where one is cut in two though it goes on.
fn extents(image: &[Block], cuts: &[bool]) -> Vec<Extent> {
    let mut all: Vec<Extent> = Vec::new();
    for (logical, (index, block)) in (0..).step_by(4096).zip(image.iter().enumerate()) {
        // A block with its place number: at the same index, the same number is the same place.
        let place = |number: u64| logical + number * 1000 * BLOCK;
        let (physical, flags) = match *block {
            Block::Hole => continue,
            Block::Unwritten(number) => (place(number), FIEMAP_EXTENT_UNWRITTEN),
            Block::Written(number) => (place(number), 0),
            Block::Delayed => (0, FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN),
        };
        let is_cut = cuts.get(index).copied().unwrap_or_default();
        match all.last_mut() {
            Some(last)
                if !is_cut
                    && last.end() == logical
                    && last.physical + last.length == physical
                    && last.flags == flags =>
            {
                last.length += BLOCK;
            }
            _ => all.push(Extent { logical, physical, length: BLOCK, flags }),
        }
    }
    all
}

fn pieces(
    image: &[Block],
    cuts: &[bool],
    from: u64,
) -> Pieces<impl Iterator<Item = Result<Extent>>> {
    let size = image.len() as u64 * BLOCK;
    let behind = move |extent: &Extent| extent.end() > from;
    Pieces::new(extents(image, cuts).into_iter().filter(behind).map(Ok), size)
}

/// Says of each block whether it may differ, without any extent.
fn model(base: &[Block], target: &[Block]) -> Vec<bool> {
    let zeros = |block| matches!(block, Block::Hole | Block::Unwritten(_));
    let old = base.iter().copied().chain(std::iter::repeat(Block::Hole));
    let pairs = target.iter().copied().zip(old);
    pairs
        .map(|(new, old)| match (old, new) {
            (Block::Written(place), Block::Written(other)) => place != other,
            (old, new) => !(zeros(old) && zeros(new)),
        })
        .collect()
}

fn in_blocks(ranges: &[Range<u64>], count: usize) -> Vec<bool> {
    let of = |block| ranges.iter().any(|range| range.contains(&block));
    (0..).step_by(4096).take(count).map(of).collect()
}

proptest! {
    #[test]
    fn it_agrees_with_a_model_that_knows_each_block(
        (base, target) in images(),
        cuts in prop::collection::vec(any::<bool>(), 48),
        other_cuts in prop::collection::vec(any::<bool>(), 48),
        skipped in 0..48_u64,
    ) {
        let end = target.len() as u64 * BLOCK;
        let from = (skipped * BLOCK).min(end);
        let part =
            differences(pieces(&base, &cuts, from), pieces(&target, &other_cuts, from), from..end)
                .unwrap();
        prop_assert_eq!(part.next, None);
        let mut expected = model(&base, &target);
        expected.iter_mut().zip((0..).step_by(4096)).filter(|(_, at)| *at < from).for_each(|(it, _)| *it = false);
        prop_assert_eq!(in_blocks(&part.ranges, target.len()), expected);
        for pair in part.ranges.windows(2) {
            prop_assert!(pair[0].end < pair[1].start, "two that touch are one: {:?}", pair);
        }
        prop_assert!(part.ranges.iter().all(|range| range.start >= from && range.end <= end));
    }

    #[test]
    fn what_was_written_is_the_difference_from_zeros(
        (_, target) in images(),
        cuts in prop::collection::vec(any::<bool>(), 48),
    ) {
        let end = target.len() as u64 * BLOCK;
        let part = differences(Pieces::zeros(), pieces(&target, &cuts, 0), 0..end).unwrap();
        prop_assert_eq!(in_blocks(&part.ranges, target.len()), model(&[], &target));
    }
}

fn extent(logical: u64, physical: u64, length: u64, flags: u32) -> Extent {
    Extent { logical, physical, length, flags }
}

fn of(extents: Vec<Extent>) -> Pieces<impl Iterator<Item = Result<Extent>>> {
    Pieces::new(extents.into_iter().map(Ok), 1 << 30)
}

#[test]
fn an_extent_that_begins_before_the_span_is_cut() {
    let part = differences(Pieces::zeros(), of(vec![extent(0, 0, 100, 0)]), 30..60).unwrap();
    assert_eq!(part, Part { ranges: vec![Range { start: 30, end: 60 }], next: None });
}

#[test]
fn shared_bytes_are_equal_however_they_are_cut_and_flagged() {
    let whole = of(vec![extent(0, 5000, 300, 0)]);
    let cut = of(vec![
        extent(0, 5000, 100, FIEMAP_EXTENT_SHARED),
        extent(100, 7000, 50, 0),
        extent(150, 5150, 150, FIEMAP_EXTENT_SHARED),
    ]);
    let part = differences(whole, cut, 0..400).unwrap();
    assert_eq!(part, Part { ranges: vec![Range { start: 100, end: 150 }], next: None });
}

#[test]
fn without_a_place_nothing_is_equal_not_even_to_itself() {
    let flags = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_UNWRITTEN;
    let image = || of(vec![extent(0, 0, 100, flags)]);
    let part = differences(image(), image(), 0..200).unwrap();
    assert_eq!(part.ranges, [Range { start: 0, end: 100 }]);
}

#[test]
fn a_part_is_bounded_and_the_next_one_goes_on_where_it_ends() {
    let every_other = |count: u64| {
        let extents = (0..count).map(|n| extent(2 * n * BLOCK, n * BLOCK, BLOCK, 0));
        Pieces::new(extents.map(Ok), u64::MAX)
    };
    let count = 40_000;
    let end = 2 * count * BLOCK;
    let (mut at, mut ranges, mut parts) = (Some(0), Vec::new(), 0);
    while let Some(from) = at {
        let part = differences(Pieces::zeros(), every_other(count), from..end).unwrap();
        assert!(part.ranges.len() <= MOST_RANGES);
        ranges.extend(part.ranges);
        (at, parts) = (part.next, parts + 1);
    }
    let expected: Vec<_> = (0..count).map(|n| 2 * n * BLOCK..(2 * n + 1) * BLOCK).collect();
    assert!(ranges == expected && parts == 3, "{parts} parts, {} ranges", ranges.len());
}

#[test]
fn a_long_stretch_without_a_change_ends_a_part_too() {
    let many = || {
        let extents = (0..).map(|n| extent(2 * n * BLOCK, 9 * n * BLOCK, BLOCK, 0));
        Pieces::new(extents.map(Ok), u64::MAX)
    };
    let part = differences(many(), many(), 0..u64::MAX).unwrap();
    let looked_at = MOST_PIECES as u64 * BLOCK;
    assert_eq!(part, Part { ranges: vec![], next: Some(looked_at) });
}

#[test]
fn a_failure_of_the_kernel_is_the_answer() {
    let failed = || Err(crate::sys::Failure::refused("list extents", "broken"));
    let extents = [Ok(extent(0, 0, BLOCK, 0)), failed()].into_iter();
    differences(Pieces::zeros(), Pieces::new(extents, 1 << 30), 0..1 << 20).unwrap_err();
}
