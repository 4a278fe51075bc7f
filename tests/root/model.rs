//! Random operations on an image pool and the real kernel, against the model.

use orlop::sys::capability::{Capability, has};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::model_of_the_driver::{Op, follow, operations};
use crate::rig::with_rig;

/// A mounted ext4 does not grow without `CAP_SYS_RESOURCE`; the driver says so.
fn may_refuse(op: Op, message: &str) -> bool {
    let missing = !has(Capability::SysResource).unwrap();
    missing && matches!(op, Op::Grow(1)) && message.contains("CAP_SYS_RESOURCE")
}

#[test]
fn the_driver_answers_as_the_model() {
    let mut cases = TestRunner::new(Config::default());
    for _case in 0..6 {
        let tree = operations(40).new_tree(&mut cases).unwrap();
        let operations = proptest::strategy::ValueTree::current(&tree);
        eprintln!("{operations:?}");
        with_rig(|mut rig| async {
            follow(&mut rig.driver, &operations, may_refuse).await;
            rig
        });
    }
}
