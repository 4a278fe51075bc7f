//! What is written about the metrics, held against a scrape of a driver with a real pool and something the matter
//! with both the pool and a volume, so that every metric has a value.

mod monitoring;
mod page;
mod promql;

use std::fs::File;

use orlop::csi::v1::controller_client::ControllerClient;

use crate::driver::connect;
use crate::process::Process;
use crate::requests::create;
use crate::rig::Ground;
use crate::scrape::Scrape;
use crate::support::in_mount_namespace;

/// Returns a scrape in which everything has happened that a metric tells of.
fn scrape() -> Scrape {
    in_mount_namespace();
    let ground = Ground::new();
    let config = |more: &str| {
        let room = ground.path().display();
        format!(
            "pools: [{{name: p, kind: image, path: {room}/pool{more}}}]\nmetrics: {{address: '127.0.0.1:0'}}\n\
             roles: {{scratch: {{endpoint: {room}/scratch.sock}}}}\n"
        )
    };
    let driver = Process::start(ground.path(), &config(""), &[]);
    let id = work(&driver);
    assert!(driver.stop().success());
    let image = ground.path().join(format!("pool/volumes/{id}/data.img"));
    File::options().write(true).open(image).unwrap().set_len(4096).unwrap();

    let driver = Process::start(ground.path(), &config(", lowWater: 100%"), &[]);
    work(&driver);
    let log = driver.said();
    // Each start adds to the log.
    let at = log.rsplit("http://").next().unwrap().split("/metrics").next().unwrap();
    let scrape = Scrape::of(at.parse().unwrap());
    let lost = [("volume", id.as_str()), ("status", "DATA_LOSS"), ("reason", "ImageShortened")];
    assert_eq!(scrape.value("orlop_volume_health", &lost), 1);
    let full = [("pool", "p"), ("status", "STORAGE_DEGRADED"), ("reason", "PoolNearlyFull")];
    assert_eq!(scrape.value("orlop_pool_health", &full), 1);
    assert_eq!(scrape.value("orlop_pool_volumes_unwell", &[("pool", "p")]), 1);
    assert!(driver.stop().success());
    scrape
}

/// Creates a volume with limits, and fails to create one without a name.
fn work(driver: &Process) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut controller = ControllerClient::new(connect(driver.socket.clone()).await);
        let mut wanted = create("pvc-1");
        for (key, value) in [("readIOPS", "100"), ("writeBytesPerSecond", "1Mi")] {
            wanted.mutable_parameters.insert(key.to_owned(), value.to_owned());
        }
        let made = controller.create_volume(wanted.clone()).await.unwrap().into_inner();
        wanted.name.clear();
        controller.create_volume(wanted).await.unwrap_err();
        made.volume.unwrap().volume_id
    })
}
