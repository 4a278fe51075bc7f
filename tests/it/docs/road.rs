//! What a newcomer follows is run, command by command, by `tests/e2e/docs.rs`; what cannot be run there is counted.

use super::page::root;
use crate::steps::{Action, ROAD, steps};

/// Where a page has one more block that no test runs, this number says that somebody has thought of it.
const LEFT: usize = 5;

#[test]
fn what_is_not_run_is_counted_and_says_why() {
    let all: Vec<_> = ROAD.iter().flat_map(|page| steps(root(), page)).collect();
    let left: Vec<_> = all.iter().filter(|step| matches!(step.action, Action::Leave(_))).collect();
    assert_eq!(left.len(), LEFT, "{left:#?}");
    assert!(all.len() > 40, "only {} steps were found", all.len());
}
