//! The image pool keeps the contract that every backend keeps.

use orlop::backend::image::{ImagePool, Settings};

use crate::conformance;
use crate::image_support::Disk;

#[test]
fn a_thin_pool_keeps_the_contract() {
    let disk = Disk::new();
    keeps_the_contract(&disk, disk.thin());
}

#[test]
fn a_thick_pool_keeps_the_contract() {
    let disk = Disk::new();
    keeps_the_contract(&disk, disk.thick());
}

fn keeps_the_contract(disk: &Disk, settings: Settings) {
    disk.run_with(settings, async |pool| {
        let pool: &ImagePool = &pool;
        conformance::create_find_delete_twice(pool).await;
        conformance::an_id_that_exists_otherwise_differs(pool).await;
        conformance::expand_is_idempotent(pool).await;
        conformance::attachments_are_kept(pool).await;
        conformance::lists_are_sorted_and_cut(pool).await;
        conformance::sources_and_copies_go_in_any_order(pool).await;
        conformance::snapshots_are_of_their_source(pool).await;
        conformance::groups_come_and_go_as_one(pool).await;
        conformance::contents_are_all_there_is(pool).await;
        pool.settled().await;
        conformance::a_group_is_whole_or_not_there(pool).await;
        // What is deleted counts until its blocks are free: of that this one wants to know nothing.
        pool.settled().await;
        conformance::capacity_is_honest(pool).await;
    });
}
