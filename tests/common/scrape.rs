//! A scrape as Prometheus makes it: over plain HTTP, parsed by the rules of OpenMetrics.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// All metrics of one scrape, by the name of the family.
#[derive(Debug, Default)]
pub struct Scrape {
    pub families: BTreeMap<String, Family>,
}

/// A metric with its values.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub unit: Option<String>,
    pub help: String,
    pub samples: Vec<Sample>,
}

/// One value.
#[derive(Debug)]
pub struct Sample {
    /// With what the kind appends: `_total`, `_info`, `_bucket`, …
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: String,
}

/// Asks the server for the path.
pub fn get(at: SocketAddr, path: &str) -> Answer {
    request(at, &format!("GET {path} HTTP/1.1\r\nHost: {at}\r\n\r\n"))
}

/// Sends a request as it is and reads to the end of the connection.
pub fn request(at: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

// === impl Scrape ===

impl Scrape {
    /// Scrapes the server.
    pub fn of(at: SocketAddr) -> Self {
        let answer = get(at, "/metrics");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            answer.head.contains("content-type: application/openmetrics-text; version=1.0.0"),
            "{}",
            answer.head
        );
        Self::parse(&answer.body)
    }

    fn parse(text: &str) -> Self {
        let lines = text.strip_suffix("# EOF\n").expect("the last line is # EOF");
        let mut scrape = Self::default();
        let mut current = String::new();
        for line in lines.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let (what, rest) = comment.split_once(' ').unwrap();
                let (name, value) = rest.split_once(' ').unwrap();
                let family = scrape.families.entry(name.to_owned()).or_default();
                match what {
                    "HELP" => value.clone_into(&mut family.help),
                    "TYPE" => value.clone_into(&mut family.kind),
                    "UNIT" => family.unit = Some(value.to_owned()),
                    other => panic!("{other} is no comment of OpenMetrics"),
                }
                name.clone_into(&mut current);
                continue;
            }
            let sample = Sample::parse(line);
            assert!(sample.name.starts_with(&current), "{line} stands below {current}");
            scrape.families.get_mut(&current).unwrap().samples.push(sample);
        }
        scrape
    }

    /// Returns all samples.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.values().flat_map(|family| &family.samples)
    }

    /// Returns the one whole number that the sample with these labels has.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let is_meant = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
        };
        let found: Vec<_> = self.samples().filter(is_meant).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
        let text = &found[0].value;
        let whole = text.strip_suffix(".0").unwrap_or(text).parse();
        whole.unwrap_or_else(|_| panic!("{name} is {text}"))
    }
}

// === impl Family ===

impl Family {
    /// Returns the labels that its samples have, without those of its kind.
    pub fn labels(&self) -> BTreeSet<String> {
        let labels = self.samples.iter().flat_map(|sample| sample.labels.keys());
        labels.filter(|label| *label != "le").cloned().collect()
    }
}

// === impl Sample ===

impl Sample {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line} has no value");
        let value = value.to_owned();
        let Some((name, labels)) = series.split_once('{') else {
            return Self { name: series.to_owned(), labels: BTreeMap::new(), value };
        };
        let labels = labels.strip_suffix('}').unwrap();
        // No value of ours holds a quote: names are escaped, ids and words have none.
        let labels = labels.split("\",").filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once("=\"").unwrap();
            (key.to_owned(), value.trim_end_matches('"').to_owned())
        });
        Self { name: name.to_owned(), labels: labels.collect(), value }
    }
}
