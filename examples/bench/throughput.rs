//! What a pod can read and write on a published volume, beside the same image attached and mounted by hand.
//!
//! Both ways take turns with one image. Of two images one is faster, and stays so: where its bytes lie on the disk
//! makes up to a fifth.

use std::path::PathBuf;

use crate::bench::Bench;
use crate::by_hand::ByHand;
use crate::client::{Client, Source};
use crate::driver::Result;
use crate::figure::{Bar, Figure};
use crate::fio::{self, Job};
use crate::many::record_of;
use crate::pool::Pool;
use crate::rounds::interleaved;

const SIZE: u64 = 4 << 30;
const BAR: Bar = Bar::RatioAtLeast(0.97);
/// The file that is read and written.
const FILE: &str = "file";

/// A volume of the driver and where it is staged and published.
struct Published<'a> {
    client: &'a Client,
    id: String,
    staging: PathBuf,
    target: PathBuf,
}

/// The image of a volume and where it is mounted by hand.
struct Mounted {
    by_hand: ByHand,
    name: String,
    at: PathBuf,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let dir = bench.dir("throughput")?;
    let [target, staging, at] = ["pod", "staging", "by-hand"].map(|name| dir.join(name));
    for path in [&staging, &at] {
        std::fs::create_dir(path)?;
    }
    let pool = Pool::make(&dir, 32 << 30).await?;
    let driver = bench.start(&pool, &dir).await?;
    let client = driver.client();
    let by_hand = ByHand::new(pool.of_driver(), record_of(client, &pool, SIZE).await?).await?;
    let id = client.create("pvc-fio", SIZE, Source::Nothing).await?;
    let mounted = Mounted { by_hand, name: id.clone(), at };
    let published = Published { client, id, staging, target };
    published.fill().await?;
    let mut figures = Vec::new();
    for job in Job::ALL {
        let rounds = interleaved(
            bench.rounds,
            job.name,
            async |_| published.run(job).await,
            async |_| mounted.run(job).await,
        );
        let what = format!("{} in a published volume", job.name);
        figures.push(Figure::compared(what, &rounds.await?, job.unit(), BAR));
    }
    driver.stop().await?;
    Ok(figures)
}

// === impl Published ===

impl Published<'_> {
    async fn begin(&self) -> Result<()> {
        self.client.stage(&self.id, &self.staging).await?;
        self.client.publish(&self.id, &self.staging, &self.target).await
    }

    async fn end(&self) -> Result<()> {
        self.client.unpublish(&self.id, &self.target).await?;
        self.client.unstage(&self.id, &self.staging).await
    }

    async fn fill(&self) -> Result<()> {
        self.begin().await?;
        fio::fill(&self.target.join(FILE)).await?;
        self.end().await
    }

    async fn run(&self, job: Job) -> Result<f64> {
        self.begin().await?;
        let figure = job.run(&self.target.join(FILE)).await?;
        self.end().await?;
        Ok(figure)
    }
}

// === impl Mounted ===

impl Mounted {
    async fn run(&self, job: Job) -> Result<f64> {
        self.by_hand.stage(&self.name, &self.at).await?;
        let figure = job.run(&self.at.join(FILE)).await?;
        self.by_hand.unstage(&self.at).await?;
        Ok(figure)
    }
}
