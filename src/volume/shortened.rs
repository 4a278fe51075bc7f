//! Names that are too long for where they have to go: a label value, the name of an object.

use super::digest::digest;

/// Returns the text as it is where it has at most `most` bytes, else its beginning and a digest of all of it: the same text
/// always becomes the same, and two texts never do. What begins and ends with a letter or digit still does.
///
/// `most` is larger than a digest, which has 32 characters.
pub fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let digest = digest(text);
    let room = text.floor_char_boundary(most.saturating_sub(digest.len() + 1));
    let beginning = text.get(..room).unwrap_or_default();
    let beginning = beginning.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("{beginning}-{digest}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_stays_and_what_does_not_keeps_its_beginning() {
        let long = format!("ip-10-0-0-1.{}", "a.".repeat(40));
        assert_eq!(shortened("n1", 63), "n1");
        assert_eq!(shortened(&long[..63], 63), long[..63]);
        let short = shortened(&long, 63);
        assert_eq!(short, format!("ip-10-0-0-1.a.a.a.a.a.a.a.a.a-{}", digest(&long)));
        assert_ne!(short, shortened(&format!("{long}b"), 63));
    }

    proptest! {
        #[test]
        fn a_name_stays_a_name(text in "[a-z0-9]([a-z0-9.-]{0,300}[a-z0-9])?", most in 40..253usize) {
            let short = shortened(&text, most);
            prop_assert!(short.len() <= most);
            prop_assert!(short.starts_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(short.ends_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(!short.contains(".-") || text.contains(".-"));
        }

        #[test]
        fn no_text_is_cut_inside_a_character(text in "\\PC{0,100}") {
            prop_assert!(shortened(&text, 63).len() <= 63);
        }
    }
}
