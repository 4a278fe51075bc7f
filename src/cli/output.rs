//! What a verb prints: a table for people, JSON for programs.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use comfy_table::Table;
use comfy_table::presets;
use serde::Serialize;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Output {
    /// Columns, for people.
    #[default]
    Table,
    /// One JSON document, for programs.
    Json,
}

/// The option of every verb that prints things.
#[derive(Debug, Args)]
pub(super) struct OutputOption {
    /// How to print.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    pub(super) output: Output,
}

/// Something that can be a row of a table.
pub(super) trait Row: Serialize {
    /// The names of the columns.
    const COLUMNS: &'static [&'static str];

    /// The texts of the columns.
    fn cells(&self) -> Vec<String>;
}

// === impl Output ===

impl Output {
    /// Prints the rows; `none` says in words that there are none.
    pub(super) fn print<R: Row>(self, rows: &[R], none: &str) -> io::Result<()> {
        match self {
            Self::Json => {
                let text = serde_json::to_string_pretty(rows).map_err(io::Error::other)?;
                say(&text)
            }
            Self::Table if rows.is_empty() => say(none),
            Self::Table => say(&table(rows)),
        }
    }
}

/// Tells what is not as it was wanted, on stderr: what is printed may be read by a program.
pub(super) fn warn(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "orlop: {text}")
}

/// Prints a text with a line end. A reader that has seen enough is no failure.
pub(super) fn say(text: &str) -> io::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Returns the rows in columns.
pub(super) fn table<R: Row>(rows: &[R]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(R::COLUMNS.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row.cells());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    // Columns are padded to their width: the last one needs none.
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}
