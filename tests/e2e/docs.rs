//! A newcomer who follows the pages, block by block, from the README to the last line of `docs/uninstall.md`.
//!
//! The chart of the other tests is taken away before and comes back after, so this runs alone.

mod reader;

use crate::rig::{chart, flow};
use crate::steps::{ROAD, steps};
use reader::Reader;

#[test]
fn each_block_of_the_pages_does_what_they_say() {
    flow("newcomer", async |flow| {
        chart::remove(flow).await;
        let mut reader = Reader::new(&flow.namespace);
        for page in ROAD {
            for step in steps(&chart::root(), page) {
                reader.follow(flow, &step).await;
            }
        }
        reader.without_helm(flow).await;
        chart::install();
    });
}
