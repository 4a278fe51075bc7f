//! Which log lines are wanted: `info`, or a level with exceptions such as `info,orlop::node=debug`.
//!
//! A level alone is about the driver's own lines. Of the libraries below it only warnings are worth a line,
//! unless one is named: every frame of every connection would be, at `debug`.

use std::fmt;
use std::str::FromStr;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// A level for the driver, and levels for parts of it and for libraries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    driver: LevelFilter,
    parts: Vec<(String, LevelFilter)>,
}

/// A text that is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{part:?} is not a log level: write off, error, warn, info, debug or trace, or PART=LEVEL such as orlop::node=debug"
)]
pub struct NotAFilter {
    part: String,
}

// === impl Filter ===

impl Filter {
    pub(super) fn into_targets(self) -> Targets {
        let libraries = self.driver.min(LevelFilter::WARN);
        Targets::new()
            .with_default(libraries)
            .with_target(env!("CARGO_CRATE_NAME"), self.driver)
            .with_targets(self.parts)
    }
}

impl FromStr for Filter {
    type Err = NotAFilter;

    /// Reads a filter more strictly than tracing does, which takes a misspelt level for a part of the program
    /// and then shows nothing else.
    fn from_str(text: &str) -> Result<Self, NotAFilter> {
        let mut filter = Self { driver: LevelFilter::INFO, parts: Vec::new() };
        for part in text.split(',').map(str::trim) {
            let wrong = || NotAFilter { part: part.to_owned() };
            match part.split_once('=') {
                Some((name, level)) if !name.is_empty() => {
                    filter.parts.push((name.to_owned(), level_of(level).ok_or_else(wrong)?));
                }
                Some(_) => return Err(wrong()),
                None => filter.driver = level_of(part).ok_or_else(wrong)?,
            }
        }
        Ok(filter)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.driver)?;
        self.parts.iter().try_for_each(|(name, level)| write!(f, ",{name}={level}"))
    }
}

fn level_of(word: &str) -> Option<LevelFilter> {
    match word.to_ascii_lowercase().as_str() {
        "off" => Some(LevelFilter::OFF),
        "error" => Some(LevelFilter::from_level(Level::ERROR)),
        "warn" => Some(LevelFilter::from_level(Level::WARN)),
        "info" => Some(LevelFilter::from_level(Level::INFO)),
        "debug" => Some(LevelFilter::from_level(Level::DEBUG)),
        "trace" => Some(LevelFilter::from_level(Level::TRACE)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_a_level_with_exceptions() {
        for (text, expected) in [
            ("info", Some("info")),
            ("WARN", Some("warn")),
            ("info,orlop::node=debug", Some("info,orlop::node=debug")),
            ("orlop::node=debug", Some("info,orlop::node=debug")),
            ("orlop=trace, warn,h2=off", Some("warn,orlop=trace,h2=off")),
            ("", None),
            ("loud", None),
            ("orlop=loud", None),
            ("=debug", None),
            ("info,", None),
        ] {
            let found = text.parse::<Filter>().ok().map(|filter| filter.to_string());
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_parts_have_their_own_level() {
        let targets = |text: &str| text.parse::<Filter>().unwrap().into_targets();
        for (text, target, level, expected) in [
            ("warn,orlop::node=debug", "orlop::node::stage", Level::DEBUG, true),
            ("warn,orlop::node=debug", "orlop::controller", Level::INFO, false),
            ("debug", "orlop::controller", Level::DEBUG, true),
            ("debug", "h2::proto", Level::WARN, true),
            ("debug", "h2::proto", Level::DEBUG, false),
            ("debug,h2=debug", "h2::proto", Level::DEBUG, true),
            ("error", "h2::proto", Level::WARN, false),
        ] {
            assert_eq!(
                targets(text).would_enable(target, &level),
                expected,
                "{text} {target} {level}"
            );
        }
    }
}
