//! Pages of a list that is sorted by id: a token is the last id that was given, so that it survives deletions.

use std::str::FromStr;

use crate::error::{Error, Result};

/// What a request says about pages: where to begin and how much to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging<Id> {
    /// Only ids behind this one.
    pub after: Option<Id>,
    /// At most so many; nothing means all.
    pub most: Option<usize>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub entries: Vec<T>,
    /// The token of the next page; empty on the last.
    pub next_token: String,
}

// === impl Paging ===

impl<Id: FromStr> Paging<Id> {
    /// Reads the two fields of a request.
    pub fn parse(max_entries: i32, starting_token: &str) -> Result<Self> {
        let most = usize::try_from(max_entries).ok().ok_or_else(|| {
            Error::invalid("max_entries", format!("is {max_entries}; give 0 for all, or how many"))
        })?;
        let after = match starting_token {
            "" => None,
            token => Some(
                token.parse().ok().ok_or_else(|| Error::BadToken { token: token.to_owned() })?,
            ),
        };
        Ok(Self { after, most: (most > 0).then_some(most) })
    }

    /// Returns how many entries to ask for: one more than the page has, to know whether there is another.
    pub fn wanted(&self) -> usize {
        self.most.map_or(usize::MAX, |most| most.saturating_add(1))
    }

    /// Cuts the page from entries that are sorted by id and begin behind `after`.
    pub fn cut<T>(&self, mut entries: Vec<T>, id: impl Fn(&T) -> String) -> Page<T> {
        let most = self.most.unwrap_or(usize::MAX);
        let more = entries.len() > most;
        entries.truncate(most);
        let next_token = entries.last().filter(|_| more).map(id).unwrap_or_default();
        Page { entries, next_token }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_foreign_token_and_a_negative_number_are_told_apart() {
        assert!(matches!(Paging::<u32>::parse(0, "x"), Err(Error::BadToken { .. })));
        assert!(matches!(Paging::<u32>::parse(-1, ""), Err(Error::Invalid { .. })));
    }

    proptest! {
        #[test]
        fn any_page_size_gives_each_entry_once(count in 0..40u32, size in 1..12i32, gone in 0..40u32) {
            let mut all: Vec<u32> = (0..count).collect();
            let mut seen = Vec::new();
            let mut token = String::new();
            loop {
                let paging = Paging::<u32>::parse(size, &token).unwrap();
                let rest = all.iter().copied().filter(|n| paging.after.is_none_or(|after| *n > after));
                let page = paging.cut(rest.take(paging.wanted()).collect(), u32::to_string);
                prop_assert!(page.entries.len() <= usize::try_from(size).unwrap());
                seen.extend(page.entries);
                if page.next_token.is_empty() { break; }
                token = page.next_token;
                // Deleting what was already given, the token's own entry included, disturbs nothing.
                all.retain(|n| *n != gone || !seen.contains(n));
            }
            prop_assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    }
}
