//! The digest that ids and shortened names are made of.

use sha2::{Digest, Sha256};

/// How many hex digits it has.
pub(super) const DIGITS: usize = 32;

/// Returns the first half of the text's SHA-256, in hex.
pub(super) fn digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    let mut hex = String::with_capacity(DIGITS);
    for byte in digest.iter().take(DIGITS / 2) {
        for nibble in [byte >> 4, byte & 0xf] {
            hex.extend(char::from_digit(nibble.into(), 16));
        }
    }
    hex
}
