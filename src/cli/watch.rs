//! Looks again and again: redraws a terminal, and tells everybody else what has changed.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use super::failure::Failure;
use super::output::{Output, Row, table};
use crate::server::Stops;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);

/// Goes to the upper left corner, and forgets what is to the right of the cursor, and below it.
const HOME: &str = "\x1b[H";
const END_OF_LINE: &str = "\x1b[K";
const END_OF_SCREEN: &str = "\x1b[J";

/// Something that can be watched.
pub(super) trait Watched: Row {
    /// Returns what tells it from the others.
    fn key(&self) -> &str;

    /// Returns what counts as a change of it: not its age.
    fn state(&self) -> Vec<String>;
}

/// What a look gives: rows, and in words what could not be looked at.
pub(super) struct Look<R> {
    pub(super) rows: Vec<R>,
    pub(super) unreadable: Option<String>,
}

/// What has become of a row since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Added,
    Changed,
    Removed,
}

/// One line for programs.
#[derive(Debug, Serialize)]
struct Event<'a, R> {
    change: Change,
    #[serde(flatten)]
    row: &'a R,
}

/// Watches until a signal ends it, or the reader goes.
pub(super) async fn watch<R: Watched>(
    output: Output,
    none: &str,
    look: impl AsyncFn() -> Look<R>,
) -> Result<(), Failure> {
    let mut signals = Stops::new()?;
    let redraws = output == Output::Table && io::stdout().is_terminal();
    let mut before = Look { rows: Vec::new(), unreadable: None };
    loop {
        let now = look().await;
        let told = if redraws { redraw(&now, none) } else { tell(&before, &now, output) };
        match told {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            told => told?,
        }
        before = now;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = signals.next() => return Ok(()),
        }
    }
}

/// Draws over what was there, so that nothing flickers.
fn redraw<R: Row>(now: &Look<R>, none: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(screen(now, none).as_bytes())?;
    out.flush()
}

/// Returns what the terminal is to show, and nothing of what it showed before.
fn screen<R: Row>(now: &Look<R>, none: &str) -> String {
    let rows = if now.rows.is_empty() { none.to_owned() } else { table(&now.rows) };
    let lines = rows.lines().chain(now.unreadable.as_deref());
    let mut screen = HOME.to_owned();
    for text in lines.flat_map(|line| [line, END_OF_LINE, "\n"]) {
        screen.push_str(text);
    }
    screen + END_OF_SCREEN
}

/// Tells what is new, other or gone.
fn tell<R: Watched>(before: &Look<R>, now: &Look<R>, output: Output) -> io::Result<()> {
    if now.unreadable != before.unreadable
        && let Some(why) = &now.unreadable
    {
        writeln!(io::stderr(), "orlop: {why}")?;
    }
    let mut out = io::stdout().lock();
    for (change, row) in changes(&before.rows, &now.rows) {
        match output {
            Output::Json => {
                let line = serde_json::to_string(&Event { change, row });
                writeln!(out, "{}", line.map_err(io::Error::other)?)?;
            }
            Output::Table => writeln!(out, "{} {}", change.sign(), row.cells().join("  "))?,
        }
    }
    out.flush()
}

fn changes<'a, R: Watched>(before: &'a [R], now: &'a [R]) -> Vec<(Change, &'a R)> {
    let known: BTreeMap<&str, &R> = before.iter().map(|row| (row.key(), row)).collect();
    let there: BTreeMap<&str, &R> = now.iter().map(|row| (row.key(), row)).collect();
    let of_now = now.iter().filter_map(|row| match known.get(row.key()) {
        None => Some((Change::Added, row)),
        Some(old) if old.state() != row.state() => Some((Change::Changed, row)),
        Some(_) => None,
    });
    let gone = before.iter().filter(|row| !there.contains_key(row.key()));
    gone.map(|row| (Change::Removed, row)).chain(of_now).collect()
}

// === impl Change ===

impl Change {
    fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Changed => '~',
            Self::Removed => '-',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize)]
    struct One(&'static str, u32);

    impl Row for One {
        const COLUMNS: &'static [&'static str] = &["name", "number"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_string()]
        }
    }

    impl Watched for One {
        fn key(&self) -> &str {
            self.0
        }

        fn state(&self) -> Vec<String> {
            self.cells()
        }
    }

    #[test]
    fn a_terminal_is_drawn_over_and_nothing_old_is_left() {
        let mut look = Look { rows: vec![One("a", 1)], unreadable: None };
        let expected = "\x1b[HNAME  NUMBER\x1b[K\na     1\x1b[K\n\x1b[J";
        assert_eq!(screen(&look, "none"), expected);
        look = Look { rows: Vec::new(), unreadable: Some("cannot read pool x".to_owned()) };
        assert_eq!(screen(&look, "none"), "\x1b[Hnone\x1b[K\ncannot read pool x\x1b[K\n\x1b[J");
    }

    #[test]
    fn what_is_new_other_or_gone_is_told_and_nothing_else() {
        let before = [One("a", 1), One("b", 1), One("c", 1)];
        let now = [One("a", 1), One("b", 2), One("d", 1)];
        let changes = changes(&before, &now);
        let told: Vec<_> = changes.iter().map(|(change, row)| (change.sign(), row.0)).collect();
        assert_eq!(told, [('-', "c"), ('~', "b"), ('+', "d")]);
    }
}
