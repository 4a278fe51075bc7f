//! Comparisons that a busy machine does not spoil: both ways in turns, and the median.

use std::time::{Duration, Instant};

use crate::driver::Result;

/// What rounds of a comparison gave.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    orlop: Vec<f64>,
    by_hand: Vec<f64>,
}

/// Measures both ways once to warm up and then in `rounds` rounds, each way first in every other round.
///
/// Both are given a number that no other call of theirs has.
pub(crate) async fn interleaved(
    rounds: u32,
    what: &str,
    mut orlop: impl AsyncFnMut(u32) -> Result<f64>,
    mut by_hand: impl AsyncFnMut(u32) -> Result<f64>,
) -> Result<Compared> {
    let mut compared = Compared::default();
    for round in 0..=rounds {
        let (ours, theirs) = if round % 2 == 0 {
            let ours = orlop(round).await?;
            (ours, by_hand(round).await?)
        } else {
            let theirs = by_hand(round).await?;
            (orlop(round).await?, theirs)
        };
        eprintln!("{what}: round {round} of {rounds}: {ours:.1} beside {theirs:.1}");
        if round > 0 {
            compared.add(ours, theirs);
        }
    }
    Ok(compared)
}

/// Returns the median; zero of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

/// Returns what all but one in a hundred keep to; zero of nothing.
pub(crate) fn all_but_a_hundredth(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let above = sorted.len() / 100;
    sorted.iter().rev().nth(above).copied().unwrap_or_default()
}

/// Returns the milliseconds since `began`.
pub(crate) fn millis_since(began: Instant) -> f64 {
    millis(began.elapsed())
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

// === impl Compared ===

impl Compared {
    pub(crate) fn of(orlop: Vec<f64>, by_hand: Vec<f64>) -> Self {
        Self { orlop, by_hand }
    }

    pub(crate) fn add(&mut self, orlop: f64, by_hand: f64) {
        self.orlop.push(orlop);
        self.by_hand.push(by_hand);
    }

    pub(crate) fn orlop(&self) -> f64 {
        median(&self.orlop)
    }

    pub(crate) fn by_hand(&self) -> f64 {
        median(&self.by_hand)
    }

    /// Returns the median of the rounds' ratios. It is steadier than the ratio of the medians: what slows the
    /// machine down for a minute slows both ways of the same round.
    pub(crate) fn ratio(&self) -> f64 {
        let both = self.orlop.iter().zip(&self.by_hand);
        median(&both.map(|(orlop, by_hand)| orlop / by_hand).collect::<Vec<_>>())
    }
}
