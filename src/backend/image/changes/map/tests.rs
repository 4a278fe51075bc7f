use std::io::Read as _;

use super::*;

const SEAL: Seal = Seal { inode: 131, changed: (1_700_000_000, 7), length: 1 << 40 };

/// More than fit in a few pages.
fn extents() -> Vec<Extent> {
    let extent = |index: u64| Extent {
        logical: index * 8192 + 4096,
        physical: (1 << 30) - index * 4096,
        length: 4096,
        flags: 0,
    };
    (0..1000).map(extent).collect()
}

fn written(extents: &[Extent]) -> File {
    let file = tempfile::tempfile().unwrap();
    let mut writer = Writer::begin(file.try_clone().unwrap(), SEAL).unwrap();
    for extent in extents {
        writer.add(extent).unwrap();
    }
    writer.end().unwrap();
    file
}

fn believed(file: &File, seal: &Seal) -> Option<Map> {
    Map::read(file.try_clone().unwrap(), seal)
}

fn listed(file: &File, from: u64) -> Vec<Extent> {
    let map = believed(file, &SEAL).unwrap();
    map.from(from).unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_was_written_is_listed_from_any_byte_on() {
    let all = extents();
    let file = written(&all);
    assert_eq!(listed(&file, 0), all);
    for start in (0..1001 * 8192).step_by(1024) {
        let wanted: Vec<_> = all.iter().filter(|extent| extent.end() > start).copied().collect();
        let listed = listed(&file, start);
        // Less than a page of what ends before comes with it.
        let before = listed.len() - wanted.len();
        assert!(before * PER_EXTENT <= page::ROOM, "{before} before {start}");
        assert_eq!(listed[before..], wanted);
    }
    assert_eq!(listed(&written(&[]), 5), []);
}

#[test]
fn a_map_is_of_one_image_at_one_time() {
    let file = written(&extents());
    assert!(believed(&file, &SEAL).is_some());
    for other in [
        Seal { inode: 132, ..SEAL },
        Seal { changed: (SEAL.changed.0, 8), ..SEAL },
        Seal { changed: (SEAL.changed.0 + 1, 7), ..SEAL },
        Seal { length: SEAL.length + 4096, ..SEAL },
    ] {
        assert!(believed(&file, &other).is_none(), "{other:?}");
    }
}

#[test]
fn a_map_that_was_not_finished_is_none() {
    let mut writer = Writer::begin(tempfile::tempfile().unwrap(), SEAL).unwrap();
    for extent in extents() {
        writer.add(&extent).unwrap();
    }
    writer.flush().unwrap();
    writer.file.flush().unwrap();
    assert!(believed(writer.file.get_ref(), &SEAL).is_none());
    assert!(believed(&tempfile::tempfile().unwrap(), &SEAL).is_none());
}

#[test]
fn a_page_of_another_map_is_none_of_this_one() {
    let (all, other) = (extents(), Seal { inode: 132, ..SEAL });
    let file = written(&all);
    let mut writer = Writer::begin(tempfile::tempfile().unwrap(), other).unwrap();
    for extent in &all {
        writer.add(extent).unwrap();
    }
    writer.flush().unwrap();
    writer.file.flush().unwrap();
    let mut foreign = Vec::new();
    writer.file.get_ref().seek(SeekFrom::Start(0)).unwrap();
    writer.file.get_ref().read_to_end(&mut foreign).unwrap();
    let third = &foreign[3 * page::SIZE..4 * page::SIZE];
    file.write_all_at(third, 3 * page::SIZE as u64).unwrap();
    let map = believed(&file, &SEAL).unwrap();
    let told: Vec<_> = map.from(0).unwrap().take_while(Result::is_ok).map(Result::unwrap).collect();
    assert_eq!(told, all[..2 * (page::ROOM / PER_EXTENT)]);
}

#[test]
fn what_is_cut_where_others_share_a_part_is_one_extent() {
    let one = Extent { logical: 4096, physical: 1 << 20, length: 4096, flags: 0 };
    let next = Extent { logical: 8192, physical: (1 << 20) + 4096, ..one };
    assert!(goes_on(&one, &next));
    assert!(!goes_on(&one, &Extent { physical: 1 << 21, ..next }));
    assert!(!goes_on(&one, &Extent { logical: 12288, ..next }));
    let endless = Extent { length: u64::MAX, ..one };
    assert!(!goes_on(&endless, &next));
}
