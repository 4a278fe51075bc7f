//! A node on which nothing happens asks nothing and takes little.

use std::time::Duration;

use orlop::cluster::objects::Volume;
use orlop::volume::Content;

use super::site::Site;
use crate::rig;

/// As many volumes as a node has on a busy day.
const VOLUMES: usize = 100;

/// What it may take besides the program itself, which is mapped and shared: a share of the 16 MiB that it may have in all.
const MOST_KIB: u64 = 6 << 10;

#[test]
fn an_idle_node_asks_nothing_and_takes_little() {
    rig::shared(async |rig| {
        let site = Site::simulated(&rig, "d1").await;
        let driver = site.start().await;
        let all: Vec<_> =
            (0..VOLUMES).map(|number| site.small(&number.to_string(), Content::Block)).collect();
        for wanted in &all {
            site.wish(wanted).await;
        }
        for wanted in &all {
            site.answered::<Volume>(wanted.id.as_str()).await;
        }
        let begin = rig.audit().now();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let asked = rig.audit().since(begin).into_iter();
        let own = "authentication.kubernetes.io/node-name";
        let by_node = asked.filter(|one| one.user.extra.get(own).is_some_and(|of| of == &["d1"]));
        let asked: Vec<_> = by_node.map(|one| format!("{} {}", one.verb, one.uri)).collect();
        // Once a minute it may tell how full its pool is.
        let told = "patch /apis/orlop.dev/v1alpha1/pools/d1.fast/status?";
        assert!(asked.len() <= 1 && asked.iter().all(|one| one.starts_with(told)), "{asked:?}");
        let status = std::fs::read_to_string(format!("/proc/{}/status", driver.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < MOST_KIB, "{kib} KiB");
    });
}
