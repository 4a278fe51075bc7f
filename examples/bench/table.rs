//! The table that everybody reads.

use comfy_table::{CellAlignment, Table, presets};

use crate::figure::{Bar, Figure};

const BELOW: &str = "\
Each comparison is made in turns; shown are medians, and the ratio is the median of the rounds' own ratios.
By hand: the same programs, records, fsyncs, allocation, block size and direct I/O, without gRPC; of a cluster: `orlop all`, which
needs none.";

/// Returns the table, and below it how to read it.
pub(crate) fn of(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["figure", "Orlop", "by hand", "ratio", "bar", "held?"]);
    for figure in figures {
        table.add_row(row(figure));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n{BELOW}")
}

fn row(figure: &Figure) -> [String; 6] {
    let held = match figure.holds() {
        Some(true) => "✓",
        Some(false) => "✗",
        None => "",
    };
    [
        figure.what.clone(),
        figure.orlop.to_string(),
        figure.by_hand.map(|measure| measure.to_string()).unwrap_or_default(),
        figure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        bar(figure),
        held.to_owned(),
    ]
}

fn bar(figure: &Figure) -> String {
    match figure.bar {
        Bar::None => String::new(),
        Bar::AtMost(most) => format!("≤ {most} {}", figure.orlop.unit),
        Bar::MoreAtMost(most) => format!("≤ {most} {} more", figure.orlop.unit),
        Bar::RatioAtMost(most) => format!("≤ {most} ×"),
        Bar::RatioAtLeast(least) => format!("≥ {least} ×"),
    }
}
