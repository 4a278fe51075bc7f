//! How long a scrape of the metrics takes, with very many volumes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Instant;

use orlop::sys::blocking;

use crate::bench::Bench;
use crate::driver::Result;
use crate::figure::{Bar, Figure, Measure};
use crate::many::{record_of, write};
use crate::pool::Pool;
use crate::rounds::{median, millis_since};

const VOLUMES: usize = 1000;
const SIZE: u64 = 300 << 20;
const BAR: Bar = Bar::AtMost(50.0);

/// Serves the metrics, wherever there is a free port.
const CONFIG: &str = "metrics: {address: '127.0.0.1:0'}\n";

/// Scrapes in one round.
const SCRAPES: u32 = 5;

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let dir = bench.dir("scrape")?;
    let pool = Pool::make(&dir, 64 << 30).await?;
    let driver = bench.start(&pool, &dir).await?;
    let record = record_of(driver.client(), &pool, SIZE).await?;
    driver.stop().await?;
    write(&pool, &record, VOLUMES).await?;
    let driver = bench.start_with(&pool, &dir, CONFIG).await?;
    let at = address(&dir.join("log"))?;
    let mut millis = Vec::new();
    for _ in 0..bench.rounds * SCRAPES {
        let began = Instant::now();
        let text = blocking(move || scrape(at)).await?;
        millis.push(millis_since(began));
        let shown = text.lines().filter(|line| line.starts_with("orlop_volume_used_bytes{"));
        let shown = shown.count();
        if shown != VOLUMES {
            return Err(format!("{shown} volumes are shown").into());
        }
    }
    driver.stop().await?;
    let took = Measure { value: median(&millis), unit: "ms" };
    Ok(vec![Figure::alone(format!("a scrape with {VOLUMES} volumes"), took, BAR)])
}

/// Returns where the driver says that its metrics are.
fn address(log: &Path) -> Result<SocketAddr> {
    let log = std::fs::read_to_string(log)?;
    let said = log.split("http://").nth(1).and_then(|rest| rest.split("/metrics").next());
    Ok(said.ok_or("the driver serves no metrics")?.parse()?)
}

fn scrape(at: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(at)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {at}\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
