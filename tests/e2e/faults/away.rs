//! The API server does not answer for a minute.

use std::time::Duration;

use super::writer;
use crate::rig::{Claim, Hanging, Pod, flow};

const AWAY: Duration = Duration::from_mins(1);

#[test]
fn nothing_is_lost_while_the_api_server_is_away_for_a_minute() {
    flow("away", async |flow| {
        flow.claim(Claim::new("data", "orlop-fast", "400Mi")).await;
        writer::start(flow, "data").await;
        // Some that are in the middle of it.
        for number in 0..5 {
            flow.claim(Claim::new(&format!("more-{number}"), "orlop-thin-immediate", "64Mi")).await;
        }
        let hanging = Hanging::api_server();
        tokio::time::sleep(AWAY).await;
        drop(hanging);
        for number in 0..5 {
            flow.bound(&format!("more-{number}")).await;
        }
        writer::is_well(flow).await;
        flow.delete_pod("writer").await;
        // Each where its volume is.
        for claim in ["data", "more-0"] {
            flow.run(Pod::new(&format!("{claim}-reader")).claim(claim, "/data")).await;
        }
    });
}
