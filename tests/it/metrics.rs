//! What the driver says of itself over HTTP: right, in the form that Prometheus reads, and to nobody's harm.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use tonic::transport::Channel;

use crate::driver::connect;
use crate::process::program::{Process, Room};
use crate::requests;
use crate::scrape::{Scrape, get, request};

/// Starts a driver with metrics, waits until it serves calls, too, and returns where the metrics are.
pub fn start(room: &Room, more: &[&str]) -> (Process, SocketAddr) {
    let mut driver = room.start(&[&["--metrics-address", "127.0.0.1:0"], more].concat());
    let line = driver.line_with("metrics are at ");
    let address =
        line.split("http://").nth(1).unwrap().trim_end().strip_suffix("/metrics").unwrap();
    let address = address.parse().unwrap();
    // Metrics are there before the pools are open.
    driver.line_with("serving controller and node");
    (driver, address)
}

async fn controller(room: &Room) -> ControllerClient<Channel> {
    ControllerClient::new(connect(room.socket()).await)
}

/// Creates a volume with limits, and fails to create one without a name.
pub async fn work(room: &Room) -> String {
    let mut controller = controller(room).await;
    let mut wanted = requests::create("pvc-1");
    for (key, value) in [("readIOPS", "100"), ("writeBytesPerSecond", "1Mi")] {
        wanted.mutable_parameters.insert(key.to_owned(), value.to_owned());
    }
    let made = controller.create_volume(wanted).await.unwrap().into_inner();
    let mut nameless = requests::create("pvc-1");
    nameless.name.clear();
    controller.create_volume(nameless).await.unwrap_err();
    made.volume.unwrap().volume_id
}

#[tokio::test]
async fn calls_pools_and_volumes_are_counted() {
    let room = Room::new();
    let (driver, at) = start(&room, &[]);
    let id = work(&room).await;
    let size = 512 << 20;

    let scrape = Scrape::of(at);
    let calls =
        |code| scrape.value("orlop_rpc_calls_total", &[("method", "CreateVolume"), ("code", code)]);
    assert_eq!((calls("OK"), calls("INVALID_ARGUMENT")), (1, 1));
    let of_method = [("method", "CreateVolume")];
    assert_eq!(scrape.value("orlop_rpc_duration_seconds_count", &of_method), 2);
    let pool = [("pool", "play")];
    let tib = 1 << 40;
    for (name, expected) in [
        ("orlop_pool_up", 1),
        ("orlop_pool_capacity_bytes", tib),
        ("orlop_pool_promised_bytes", size),
        ("orlop_pool_available_bytes", tib - size),
        ("orlop_pool_volumes", 1),
        ("orlop_pool_snapshots", 0),
        ("orlop_volume_size_bytes", size),
        ("orlop_volume_used_bytes", size),
    ] {
        assert_eq!(scrape.value(name, &pool), expected, "{name}");
    }
    // Where there is no limit, there is no figure.
    for (name, direction, expected) in [
        ("orlop_volume_limit_iops", "read", 100),
        ("orlop_volume_limit_bytes_per_second", "write", 1 << 20),
    ] {
        assert_eq!(scrape.families[name].samples.len(), 1, "{name}");
        assert_eq!(scrape.value(name, &[("direction", direction)]), expected, "{name}");
    }
    let info = [("volume", id.as_str()), ("name", "pvc-1"), ("content", "xfs")];
    assert_eq!(scrape.value("orlop_volume_info", &info), 1);
    assert_eq!(scrape.value("orlop_operations_running", &[]), 0);
    assert_eq!(scrape.value("orlop_operations_oldest_age_seconds", &[]), 0);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(scrape.value("orlop_build_info", &version), 1);
    assert_eq!(driver.stop().code, Some(0));
}

#[tokio::test]
async fn volumes_are_shown_up_to_the_switch_and_the_rest_is_told() {
    for (most, shown) in [(0, 0), (2, 2), (5, 3)] {
        let room = Room::new();
        let state = room.path("state");
        room.write_config(&format!(
            "nodeId: n1\nstateDir: {}\nmetrics: {{address: '127.0.0.1:0', maxVolumes: {most}}}\npools: [{{name: a, kind: memory}}, {{name: b, kind: memory}}]\n",
            state.display()
        ));
        let (driver, at) = start(&room, &[]);
        let mut controller = controller(&room).await;
        for (name, pool) in [("pvc-1", "a"), ("pvc-2", "b"), ("pvc-3", "b")] {
            let mut request = requests::create(name);
            request.parameters.insert("pool".to_owned(), pool.to_owned());
            controller.create_volume(request).await.unwrap();
        }
        let scrape = Scrape::of(at);
        for name in ["orlop_volume_size_bytes", "orlop_volume_used_bytes", "orlop_volume"] {
            assert_eq!(scrape.families[name].samples.len(), shown, "{name} of {most}");
        }
        let omitted = scrape.value("orlop_volumes_omitted", &[]);
        assert_eq!(omitted, 3 - u64::try_from(shown).unwrap());
        assert_eq!(scrape.value("orlop_pool_volumes", &[("pool", "b")]), 2);
        assert_eq!(driver.stop().code, Some(0));
    }
}

#[tokio::test]
async fn other_paths_and_requests_are_refused_politely() {
    let room = Room::new();
    let (driver, at) = start(&room, &[]);
    for (path, status, body) in [
        ("/healthz", 200, "ok\n"),
        ("/readyz", 200, "ok\n"),
        ("/readyz?verbose", 200, "ok\n"),
        ("/", 404, "there is /metrics, /healthz and /readyz\n"),
    ] {
        let answer = get(at, path);
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
        assert!(answer.head.contains("connection: close"), "{}", answer.head);
    }
    let head = request(at, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let post = request(at, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(post.status, 405);
    let large = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    // Where the server hangs up early, the rest cannot even be sent.
    let mut stream = TcpStream::connect(at).unwrap();
    let sent = stream.write_all(large.as_bytes());
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let is_refused = String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 431");
    assert!(is_refused || sent.is_err() || read.is_err(), "{}", answer.len());
    assert_eq!(get(at, "/healthz").status, 200);
    assert_eq!(driver.stop().code, Some(0));
}

#[tokio::test]
async fn slow_clients_do_no_harm() {
    let room = Room::new();
    let (driver, at) = start(&room, &[]);
    // More than are served at once; half of them begin to ask and never end.
    let idle: Vec<TcpStream> = (0..80)
        .map(|number| {
            let mut stream = TcpStream::connect(at).unwrap();
            if number % 2 == 0 {
                stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ").unwrap();
            }
            stream
        })
        .collect();
    let began = Instant::now();
    assert_eq!(get(at, "/healthz").status, 200);
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    // The driver's own work is not held up at all.
    let began = Instant::now();
    work(&room).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(idle);
    assert_eq!(driver.stop().code, Some(0));
}

#[test]
fn an_address_in_use_and_one_that_is_none_end_the_start() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let room = Room::new();
    let config = room.config().display().to_string();
    let socket = room.socket().display().to_string();
    let start = |address: &str| {
        let args =
            ["all", "--config", &config, "--endpoint", &socket, "--metrics-address", address];
        Process::start(&args, &[]).end()
    };
    let ended = start(&taken);
    assert_eq!(ended.code, Some(1));
    let expected = format!("cannot serve metrics at {taken}: choose another metrics address: Addr");
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    drop(listener);
    let ended = start("nowhere");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("\"nowhere\" is not an address to serve at"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_end_of_the_driver_is_seen() {
    let room = Room::new();
    let (driver, at) = start(&room, &[]);
    let mut controller = controller(&room).await;
    controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
    // A connection that stays open is given a moment at the end.
    driver.signal(nix::sys::signal::Signal::SIGTERM);
    let began = Instant::now();
    let stopping = loop {
        let answer = get(at, "/readyz");
        if answer.status != 200 || began.elapsed() > Duration::from_secs(5) {
            break answer;
        }
    };
    assert_eq!((stopping.status, stopping.body.as_str()), (503, "the driver is stopping\n"));
    assert_eq!(get(at, "/healthz").status, 200);
    drop(controller);
    assert_eq!(driver.end().code, Some(0));
}
