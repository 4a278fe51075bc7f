//! A page of a map: numbers, and a checksum that is right at this place of this map only.
//!
//! What a crash has left of a file that nobody waited for, a page of an earlier file, or one that the disk has
//! changed, is no page.

use crc32c::{crc32c, crc32c_append};

pub(super) const SIZE: usize = 4096;

/// How many numbers a page holds at most.
pub(super) const ROOM: usize = (SIZE - HEAD) / NUMBER;

/// The checksum, and how many numbers follow.
const HEAD: usize = 8;
const CHECKSUM: usize = 4;
const NUMBER: usize = 8;

/// What all checksums of a map begin with, so that its pages are not taken for those of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Salt(u32);

// === impl Salt ===

impl Salt {
    /// The salt of the page that says what the map is of.
    pub(super) const NONE: Self = Self(0);

    /// Returns the salt of the pages behind one with these numbers.
    pub(super) fn of(numbers: &[u64]) -> Self {
        Self(numbers.iter().fold(0, |sum, number| crc32c_append(sum, &number.to_le_bytes())))
    }

    fn checksum(self, index: u64, rest: &[u8]) -> u32 {
        let place = crc32c(&[u64::from(self.0).to_le_bytes(), index.to_le_bytes()].concat());
        crc32c_append(place, rest)
    }
}

/// Returns the page with these numbers, of which there are at most [`ROOM`].
pub(super) fn write(numbers: &[u64], salt: Salt, index: u64) -> Vec<u8> {
    let numbers = numbers.get(..ROOM).unwrap_or(numbers);
    let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    let mut rest = Vec::with_capacity(SIZE);
    rest.extend(count.to_le_bytes());
    rest.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    rest.resize(SIZE - CHECKSUM, 0);
    let mut page = salt.checksum(index, &rest).to_le_bytes().to_vec();
    page.append(&mut rest);
    page
}

/// Returns the numbers of the page, or nothing when it is not the one that was written there.
pub(super) fn read(page: &[u8; SIZE], salt: Salt, index: u64) -> Option<Vec<u64>> {
    let (checksum, rest) = page.split_first_chunk::<CHECKSUM>()?;
    if u32::from_le_bytes(*checksum) != salt.checksum(index, rest) {
        return None;
    }
    let (count, numbers) = rest.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let numbers = numbers.as_chunks::<NUMBER>().0.get(..count)?;
    Some(numbers.iter().map(|number| u64::from_le_bytes(*number)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_where_it_was_written_and_nowhere_else() {
        let all: Vec<u64> = (0..ROOM as u64).map(|number| number << 40).collect();
        let (salt, other) = (Salt::of(&[1, 2]), Salt::of(&[1, 3]));
        for numbers in [&all[..], &all[..3], &[]] {
            let page: [u8; SIZE] = write(numbers, salt, 7).try_into().unwrap();
            assert_eq!(read(&page, salt, 7).as_deref(), Some(numbers));
            assert_eq!(read(&page, salt, 8), None);
            assert_eq!(read(&page, other, 7), None);
            assert_eq!(read(&page, Salt::NONE, 7), None);
        }
    }

    #[test]
    fn every_byte_of_a_page_counts() {
        let salt = Salt::of(&[1]);
        let page: [u8; SIZE] = write(&[1, 2, 3], salt, 1).try_into().unwrap();
        for at in 0..SIZE {
            let mut changed = page;
            changed[at] ^= 0x10;
            assert_eq!(read(&changed, salt, 1), None, "byte {at}");
        }
        assert_eq!(read(&[0; SIZE], salt, 1), None);
        assert_eq!(read(&[0; SIZE], Salt::NONE, 0), None);
    }
}
