//! The story on the screen: one line for each step, with its time.

use std::time::Instant;

use super::driver::Result;

/// How wide the column of steps is.
const WIDTH: usize = 62;

/// The story that is being told.
#[derive(Debug)]
pub(crate) struct Story {
    began: Instant,
}

// === impl Story ===

impl Story {
    pub(crate) fn begin(title: &str) -> Self {
        println!("\nOrlop: {title}\n");
        Self { began: Instant::now() }
    }

    /// Does the step and prints what it was and how long it took.
    pub(crate) async fn step<T>(
        &mut self,
        what: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let began = Instant::now();
        let outcome = work.await.map_err(|why| format!("{what}: {why}"))?;
        let millis = began.elapsed().as_secs_f64() * 1000.0;
        println!("  {what:<WIDTH$} {millis:>8.1} ms");
        Ok(outcome)
    }

    /// Prints what happened between two steps.
    pub(crate) fn note(what: &str) {
        println!("      {what}");
    }

    pub(crate) fn end(self, what: &str) {
        println!("\n  {what}: {:.1} s in all\n", self.began.elapsed().as_secs_f64());
    }
}
