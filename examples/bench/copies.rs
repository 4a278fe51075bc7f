//! Snapshots and clones of a large thin image, by the number of its extents.

mod image;

use std::path::PathBuf;
use std::time::Instant;

use crate::bench::Bench;
use crate::by_hand::ByHand;
use crate::client::{Client, Source};
use crate::driver::Result;
use crate::figure::{Bar, Figure, Measure};
use crate::many::record_of;
use crate::pool::Pool;
use crate::rounds::{Compared, interleaved, median, millis_since};

const SIZE: u64 = 100 << 30;
const FEW: u32 = 960;
const MANY: u32 = 250_000;
const BAR: Bar = Bar::AtMost(20.0);

/// A copy costs some blocks for its own list of extents.
const NO_DATA: Bar = Bar::AtMost(1.0);

/// A volume whose copies are measured.
#[derive(Debug)]
struct Original<'a> {
    bench: &'a Bench,
    pool: &'a Pool,
    client: &'a Client,
    by_hand: &'a ByHand,
    id: String,
    image: PathBuf,
    /// In the words of the table.
    extents: String,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let dir = bench.dir("copies")?;
    let pool = Pool::make(&dir, 200 << 30).await?;
    let driver = bench.start(&pool, &dir).await?;
    let client = driver.client();
    let record = record_of(client, &pool, SIZE).await?;
    let by_hand = ByHand::new(pool.by_hand(), record).await?;
    let mut figures = Vec::new();
    for (pieces, bar, no_data) in [(FEW, BAR, NO_DATA), (MANY, Bar::None, Bar::None)] {
        let original = Original::make(bench, (&pool, client, &by_hand), pieces).await?;
        figures.push(original.snapshots(bar).await?);
        figures.push(original.clones(bar).await?);
        figures.push(original.data(no_data).await?);
        figures.push(original.mounted_snapshots(bar).await?);
        figures.push(original.first_stages().await?);
        client.delete(&original.id).await?;
    }
    driver.stop().await?;
    Ok(figures)
}

// === impl Original ===

impl<'a> Original<'a> {
    /// Makes a volume and writes to its image here and there.
    async fn make(
        bench: &'a Bench,
        (pool, client, by_hand): (&'a Pool, &'a Client, &'a ByHand),
        pieces: u32,
    ) -> Result<Self> {
        eprintln!("copies: an image in {pieces} pieces");
        let id = client.create(&format!("pvc-{pieces}"), SIZE, Source::Nothing).await?;
        let image = pool.of_driver().join("volumes").join(&id).join("data.img");
        let count = image::scatter(&image, SIZE, pieces).await?;
        let extents = format!("of 100 GiB in {count} extents");
        Ok(Self { bench, pool, client, by_hand, id, image, extents })
    }

    async fn snapshots(&self, bar: Bar) -> Result<Figure> {
        let rounds = interleaved(
            self.bench.rounds,
            "snapshots",
            async |round| {
                let began = Instant::now();
                let snapshot = self.client.snapshot(&format!("snap-{round}"), &self.id).await?;
                let took = millis_since(began);
                self.client.delete_snapshot(&snapshot).await?;
                self.pool.settled().await?;
                Ok(took)
            },
            async |round| self.copy_by_hand(&format!("snap-{round}")).await,
        );
        let what = format!("snapshot {}", self.extents);
        Ok(Figure::compared(what, &rounds.await?, "ms", bar))
    }

    async fn clones(&self, bar: Bar) -> Result<Figure> {
        let rounds = interleaved(
            self.bench.rounds,
            "clones",
            async |round| {
                let began = Instant::now();
                let source = Source::Volume(&self.id);
                let clone = self.client.create(&format!("clone-{round}"), SIZE, source).await?;
                let took = millis_since(began);
                self.client.delete(&clone).await?;
                self.pool.settled().await?;
                Ok(took)
            },
            async |round| self.copy_by_hand(&format!("clone-{round}")).await,
        );
        let what = format!("clone {}", self.extents);
        Ok(Figure::compared(what, &rounds.await?, "ms", bar))
    }

    async fn copy_by_hand(&self, name: &str) -> Result<f64> {
        let began = Instant::now();
        self.by_hand.copy(name, &self.image, SIZE).await?;
        let took = millis_since(began);
        self.by_hand.delete(name).await?;
        self.by_hand.settled().await?;
        Ok(took)
    }

    /// What the pool has less after a snapshot and a clone.
    async fn data(&self, bar: Bar) -> Result<Figure> {
        let before = self.pool.used().await?;
        let snapshot = self.client.snapshot("snap-data", &self.id).await?;
        let clone = self.client.create("clone-data", SIZE, Source::Volume(&self.id)).await?;
        let taken = self.pool.used().await?.saturating_sub(before);
        let ours = self.pool.of_driver().join("volumes").join(&clone).join("data.img");
        image::check_shared(&ours).await?;
        self.client.delete(&clone).await?;
        self.client.delete_snapshot(&snapshot).await?;
        self.pool.settled().await?;
        let value = f64::from(u32::try_from(taken >> 10)?) / 1024.0;
        let what = format!("space taken by a snapshot and a clone {}", self.extents);
        Ok(Figure::alone(what, Measure { value, unit: "MiB" }, bar))
    }

    /// Snapshots of the mounted volume, which is frozen for each.
    async fn mounted_snapshots(&self, bar: Bar) -> Result<Figure> {
        let staging = self.bench.dir("copies/staging")?;
        self.client.stage(&self.id, &staging).await?;
        let mut all = Vec::new();
        for round in 0..=self.bench.rounds {
            let began = Instant::now();
            let snapshot = self.client.snapshot(&format!("mounted-{round}"), &self.id).await?;
            all.push(millis_since(began));
            self.client.delete_snapshot(&snapshot).await?;
            self.pool.settled().await?;
        }
        self.client.unstage(&self.id, &staging).await?;
        let what = format!("snapshot of the mounted volume {}", self.extents);
        Ok(Figure::alone(what, Measure { value: median(&all), unit: "ms" }, bar))
    }

    /// The first stage of a copy, which gives its file system a UUID of its own.
    async fn first_stages(&self) -> Result<Figure> {
        let staging = self.bench.dir("copies/staging")?;
        let mut rounds = Compared::default();
        for round in 0..self.bench.rounds {
            let name = format!("first-{round}");
            let id = self.client.create(&name, SIZE, Source::Volume(&self.id)).await?;
            let began = Instant::now();
            self.client.stage(&id, &staging).await?;
            let ours = millis_since(began);
            self.client.unstage(&id, &staging).await?;
            self.client.delete(&id).await?;
            self.pool.settled().await?;

            self.by_hand.copy(&name, &self.image, SIZE).await?;
            let began = Instant::now();
            self.by_hand.finish_and_stage(&name, &staging).await?;
            rounds.add(ours, millis_since(began));
            self.by_hand.unstage(&staging).await?;
            self.by_hand.delete(&name).await?;
            self.by_hand.settled().await?;
        }
        let what = format!("first stage of a copy {}", self.extents);
        Ok(Figure::compared(what, &rounds, "ms", Bar::None))
    }
}
