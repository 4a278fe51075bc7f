//! What a pod can read and write on a published volume, beside a loop device that was set up by hand in the same
//! pool, with the same file system.

use crate::bench::Bench;
use crate::by_hand::ByHand;
use crate::client::Source;
use crate::driver::Result;
use crate::figure::{Bar, Figure};
use crate::fio::{self, Job};
use crate::many::record_of;
use crate::pool::Pool;
use crate::rounds::interleaved;

const SIZE: u64 = 4 << 30;
const BAR: Bar = Bar::RatioAtLeast(0.97);

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let dir = bench.dir("throughput")?;
    let [ours, our_staging, staging] = ["pod", "staging", "by-hand"].map(|name| dir.join(name));
    for path in [&our_staging, &staging] {
        std::fs::create_dir(path)?;
    }
    let pool = Pool::make(&dir, 32 << 30).await?;
    let driver = bench.start(&pool, &dir).await?;
    let client = driver.client();
    let by_hand = ByHand::new(pool.by_hand(), record_of(client, &pool, SIZE).await?).await?;

    let id = client.create("pvc-fio", SIZE, Source::Nothing).await?;
    client.stage(&id, &our_staging).await?;
    client.publish(&id, &our_staging, &ours).await?;
    by_hand.create("fio", SIZE).await?;
    by_hand.stage("fio", &staging).await?;

    let (our_file, their_file) = (ours.join("file"), staging.join("file"));
    fio::fill(&our_file).await?;
    fio::fill(&their_file).await?;
    let mut figures = Vec::new();
    for job in Job::ALL {
        let rounds = interleaved(
            bench.rounds,
            job.name,
            async |_| job.run(&our_file).await,
            async |_| job.run(&their_file).await,
        );
        let what = format!("{} in a published volume", job.name);
        figures.push(Figure::compared(what, &rounds.await?, job.unit(), BAR));
    }

    client.unpublish(&id, &ours).await?;
    client.unstage(&id, &our_staging).await?;
    by_hand.unstage(&staging).await?;
    driver.stop().await?;
    Ok(figures)
}
