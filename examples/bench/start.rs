//! From the start of the driver to its first answer, in a pool with very many volumes.

use std::time::Instant;

use orlop::sys::blocking;

use crate::bench::Bench;
use crate::driver::Result;
use crate::figure::{Bar, Figure};
use crate::many::{record_of, write};
use crate::pool::Pool;
use crate::rounds::{Compared, interleaved, millis_since};

const VOLUMES: usize = 10_000;
const SIZE: u64 = 300 << 20;
const BAR: Bar = Bar::AtMost(1000.0);

/// What the kernel knows of the pool when the driver starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cache {
    Cold,
    Warm,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let dir = bench.dir("start")?;
    let pool = Pool::make(&dir, 64 << 30).await?;
    let driver = bench.start(&pool, &dir).await?;
    let record = record_of(driver.client(), &pool, SIZE).await?;
    driver.stop().await?;
    eprintln!("start: writing {VOLUMES} volumes");
    write(&pool, &record, VOLUMES).await?;
    let mut figures = Vec::new();
    for (cache, words) in [(Cache::Cold, "nothing of it in memory"), (Cache::Warm, "again")] {
        let rounds = rounds(bench, &pool, cache).await?;
        let what = format!("start with {VOLUMES} volumes to the first answer, {words}");
        figures.push(Figure::compared(what, &rounds, "ms", BAR));
    }
    Ok(figures)
}

async fn rounds(bench: &Bench, pool: &Pool, cache: Cache) -> Result<Compared> {
    let dir = bench.dir("start")?;
    let prepare = async || match cache {
        Cache::Cold => pool.forget().await,
        Cache::Warm => Ok(()),
    };
    interleaved(
        bench.rounds,
        "start",
        async |_| {
            prepare().await?;
            let began = Instant::now();
            let driver = bench.start(pool, &dir).await?;
            let listed = driver.client().count().await?;
            let took = millis_since(began);
            driver.stop().await?;
            if listed == VOLUMES {
                Ok(took)
            } else {
                Err(format!("{listed} volumes are listed").into())
            }
        },
        async |_| {
            prepare().await?;
            let began = Instant::now();
            read_all(pool).await?;
            Ok(millis_since(began))
        },
    )
    .await
}

/// Reads every record and looks at every image, one after the other.
async fn read_all(pool: &Pool) -> Result<()> {
    let volumes = pool.of_driver().join("volumes");
    blocking(move || {
        for entry in std::fs::read_dir(volumes)? {
            let dir = entry?.path();
            let record = std::fs::read(dir.join("volume.json"))?;
            let image = std::fs::metadata(dir.join("data.img"))?;
            if record.is_empty() || image.len() != SIZE {
                return Err(format!("{} is no volume", dir.display()).into());
            }
        }
        Ok(())
    })
    .await
}
