//! Whether the limits of volumes can be enforced here.

use super::finding::Finding;
use crate::host::kernel::{self, Reach};

const ABOUT: &str = "limits";

pub(super) fn check() -> Vec<Finding> {
    let finding = match kernel::reach_of_limits() {
        Ok(Reach::Pods) => Finding::ok(ABOUT, "the control groups of pods can limit volumes"),
        Ok(Reach::Containers) => Finding::ok(
            ABOUT,
            "control groups of version 1 can limit volumes: each container of a pod may use the whole limit",
        ),
        Err(why) => Finding::warning(
            ABOUT,
            why.sentence(),
            "volumes work all the same, as fast as they can",
        ),
    };
    vec![finding]
}
