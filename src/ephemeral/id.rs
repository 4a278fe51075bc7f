//! The id of an inline volume, as kubelet makes it: of the pod and of the volume's name in the pod.

use std::fmt;

use sha2::{Digest, Sha256};

/// How each begins.
const PREFIX: &str = "csi-";

/// The hex digits of a SHA-256.
const DIGITS: usize = 64;

/// An id that is safe as the name of a file: `csi-` and 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InlineId(String);

// === impl InlineId ===

impl InlineId {
    /// Returns the id if the text is one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (digits.len() == DIGITS && digits.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// Returns the id that kubelet gives to the volume of that name in that pod.
    pub fn of(pod_uid: &str, volume: &str) -> Self {
        let digest = Sha256::new().chain_update(pod_uid).chain_update(volume).finalize();
        let mut text = String::from(PREFIX);
        for nibble in digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]) {
            text.extend(char::from_digit(nibble.into(), 16));
        }
        Self(text)
    }

    /// Returns a number that is this id's: the beginning of the digest.
    pub fn number(&self) -> u64 {
        let digits = self.0.chars().skip(PREFIX.len()).take(16).filter_map(|c| c.to_digit(16));
        digits.fold(0, |number, digit| number << 4 | u64::from(digit))
    }

    /// Returns the id as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InlineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_kubelets_digest_and_no_path() {
        let id = InlineId::of("3c57e7a7-56ac-4e3a-bb2c-5a7d37f1d9be", "work");
        assert_eq!(InlineId::parse(id.as_str()), Some(id));
        // printf %s%s a b | sha256sum
        let known = "csi-fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603";
        assert_eq!(InlineId::of("a", "b").as_str(), known);
        assert_eq!(InlineId::of("a", "b").number(), 0xfb8e_20fc_2e4c_3f24);
        let upper = known.to_uppercase();
        for wrong in ["", "csi-", "../../x", "csi-00ff", &known[1..], &upper, &format!("{known}0")]
        {
            assert_eq!(InlineId::parse(wrong), None, "{wrong}");
        }
    }
}
