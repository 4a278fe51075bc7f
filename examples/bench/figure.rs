//! One line of the table: what was measured and what it has to be.

use std::fmt;

use crate::rounds::Compared;

/// A number with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measure {
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

/// What a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bar {
    /// Nothing: it is there to be read.
    None,
    /// Orlop's own figure, in its unit.
    AtMost(f64),
    /// How much more Orlop's figure is than the one beside it, in its unit.
    MoreAtMost(f64),
    /// Orlop's figure as a multiple of the one by hand.
    RatioAtMost(f64),
    /// The same, where more is better.
    RatioAtLeast(f64),
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) orlop: Measure,
    pub(crate) by_hand: Option<Measure>,
    pub(crate) ratio: Option<f64>,
    pub(crate) bar: Bar,
}

// === impl Figure ===

impl Figure {
    /// Creates a figure that nothing is compared with.
    pub(crate) fn alone(what: impl Into<String>, orlop: Measure, bar: Bar) -> Self {
        Self { what: what.into(), orlop, by_hand: None, ratio: None, bar }
    }

    /// Creates a figure from rounds that were measured both ways.
    pub(crate) fn compared(
        what: impl Into<String>,
        rounds: &Compared,
        unit: &'static str,
        bar: Bar,
    ) -> Self {
        let measure = |value| Measure { value, unit };
        Self {
            what: what.into(),
            orlop: measure(rounds.orlop()),
            by_hand: Some(measure(rounds.by_hand())),
            ratio: Some(rounds.ratio()),
            bar,
        }
    }

    /// Creates a figure beside one that was measured in the same minutes.
    pub(crate) fn beside(
        what: impl Into<String>,
        orlop: f64,
        other: f64,
        unit: &'static str,
        bar: Bar,
    ) -> Self {
        Self {
            what: what.into(),
            orlop: Measure { value: orlop, unit },
            by_hand: Some(Measure { value: other, unit }),
            ratio: None,
            bar,
        }
    }

    /// Says whether the bar is held; nothing where there is none.
    pub(crate) fn holds(&self) -> Option<bool> {
        match self.bar {
            Bar::None => None,
            Bar::AtMost(most) => Some(self.orlop.value <= most),
            Bar::MoreAtMost(most) => {
                self.by_hand.map(|other| self.orlop.value - other.value <= most)
            }
            Bar::RatioAtMost(most) => self.ratio.map(|ratio| ratio <= most),
            Bar::RatioAtLeast(least) => self.ratio.map(|ratio| ratio >= least),
        }
    }
}

// === impl Measure ===

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = match self.value {
            value if value >= 100.0 => 0,
            value if value >= 10.0 => 1,
            _ => 2,
        };
        write!(f, "{:.decimals$} {}", self.value, self.unit)
    }
}
