//! Random operations on the memory backend, against the model.

use proptest::prelude::*;

use crate::model_of_the_driver::{follow, operations};
use crate::simulated::unlimited;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// > Whatever calls are made, in whatever order and however often, each is answered as a model of a few lines
    /// > answers it.
    #[test]
    fn the_driver_answers_as_the_model(operations in operations(60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut driver = unlimited().await;
            follow(&mut driver, &operations, |_, _| false).await;
        });
    }
}
