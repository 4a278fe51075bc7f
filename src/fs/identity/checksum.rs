//! CRC-32C, the checksum of a btrfs superblock, bit by bit: it is needed for three blocks in a volume's life.

/// The polynomial, with its lowest bit first.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// Returns the CRC-32C of the bytes.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            let carry = if sum & 1 == 1 { POLYNOMIAL } else { 0 };
            (sum >> 1) ^ carry
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_values_come_out() {
        // The check value of the algorithm, and two examples of RFC 3720.
        for (bytes, expected) in [
            (&b"123456789"[..], 0xE306_9283),
            (&[0; 32][..], 0x8A91_36AA),
            (&[0xFF; 32][..], 0x62A8_AB43),
            (&[][..], 0),
        ] {
            assert_eq!(crc32c(bytes), expected);
        }
    }
}
