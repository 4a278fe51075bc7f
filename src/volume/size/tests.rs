use proptest::prelude::*;

use super::*;

const MIB: u64 = 1 << 20;

fn asked(required: u64, limit: u64) -> Asked {
    let some = |bytes: u64| (bytes > 0).then_some(Bytes(bytes));
    Asked { required: some(required), limit: some(limit) }
}

fn limits(least: u64, source: u64) -> SizeLimits {
    SizeLimits {
        least: Bytes(least),
        source: (source > 0).then_some(Bytes(source)),
        default: Bytes(1024 * MIB),
    }
}

#[test]
fn a_size_is_chosen_from_the_range_the_source_and_the_default() {
    // (required, limit, least, source) → size, or nothing for OUT_OF_RANGE
    for ((required, limit, least, source), expected) in [
        ((0, 0, 0, 0), Some(1024 * MIB)),
        ((0, 0, 0, 7 * MIB), Some(7 * MIB)),
        ((5 * MIB, 0, 0, 0), Some(5 * MIB)),
        ((5 * MIB, 5 * MIB, 0, 0), Some(5 * MIB)),
        ((5 * MIB + 1, 0, 0, 0), Some(5 * MIB + 4096)),
        ((5 * MIB + 1, 5 * MIB + 100, 0, 0), None),
        ((5 * MIB, 0, 300 * MIB, 0), Some(300 * MIB)),
        ((5 * MIB, 200 * MIB, 300 * MIB, 0), None),
        ((0, 200 * MIB + 5, 0, 0), Some(200 * MIB)),
        ((0, 100, 0, 0), None),
        ((0, 4 * MIB, 0, 8 * MIB), None),
        ((4 * MIB, 0, 0, 8 * MIB), None),
        ((16 * MIB, 0, 0, 8 * MIB), Some(16 * MIB)),
        ((u64::MAX, 0, 0, 0), None),
    ] {
        let chosen = asked(required, limit).choose(limits(least, source)).ok();
        assert_eq!(chosen, expected.map(Bytes), "{required} {limit} {least} {source}");
    }
}

#[test]
fn a_volume_grows_but_never_shrinks() {
    for ((required, limit, now), expected) in [
        ((5 * MIB, 0, 4 * MIB), Some(5 * MIB)),
        ((4 * MIB, 0, 5 * MIB), Some(5 * MIB)),
        ((4 * MIB, 4 * MIB, 5 * MIB), None),
        ((0, 6 * MIB, 5 * MIB), Some(5 * MIB)),
        ((5 * MIB + 1, 5 * MIB + 1, 4 * MIB), None),
    ] {
        assert_eq!(
            asked(required, limit).grown(Bytes(now)).ok(),
            expected.map(Bytes),
            "{required} {limit} {now}"
        );
    }
}

#[test]
fn a_range_that_contradicts_itself_is_invalid() {
    for (required_bytes, limit_bytes) in [(0, 0), (-1, 0), (0, -1), (i64::MIN, 5), (5, 4)] {
        let range = v1::CapacityRange { required_bytes, limit_bytes };
        assert!(matches!(Asked::of_csi(Some(&range)), Err(Error::Invalid { .. })), "{range:?}");
    }
    assert_eq!(Asked::of_csi(None).unwrap(), Asked::default());
}

proptest! {
    /// > A volume has exactly the size that the answer says: a multiple of 4096 bytes within the range that was asked
    /// > for. A range without such a size is OUT_OF_RANGE.
    #[test]
    fn a_chosen_size_is_in_the_range_and_whole(
        required in prop_oneof![Just(0), 1..1u64 << 50],
        // Also so little above what is required that no whole size may lie between.
        above in prop::option::of(prop_oneof![0..3 * UNIT, 0..1u64 << 50]),
        least in 0..1u64 << 30,
        source in prop_oneof![Just(0), (1..1u64 << 40).prop_map(|size| size * 4096)],
    ) {
        let asked = asked(required, above.map_or(0, |above| required + above));
        if let Ok(size) = asked.choose(limits(least, source)) {
            prop_assert!(asked.fits(size), "{size}");
            prop_assert_eq!(size.0 % UNIT, 0);
            prop_assert!(size.0 >= least && size.0 >= source && size.0 > 0);
        }
    }
}
