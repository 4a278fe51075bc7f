//! The size of the program.

use crate::bench::Bench;
use crate::driver::Result;
use crate::figure::{Bar, Figure, Measure};

/// The section that a stripped program does not have.
const SYMBOLS: &[u8] = b".symtab";

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let program = std::fs::read(&bench.orlop)?;
    if program.windows(SYMBOLS.len()).any(|bytes| bytes == SYMBOLS) {
        return Err(
            format!("{} is not stripped: `make build` makes it", bench.orlop.display()).into()
        );
    }
    let bytes = u32::try_from(program.len())?;
    let size = Measure { value: f64::from(bytes) / f64::from(1 << 20), unit: "MiB" };
    Ok(vec![Figure::alone("the program, stripped", size, Bar::AtMost(14.0))])
}
