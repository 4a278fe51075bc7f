//! The SnapshotMetadata service over a socket, on a pool that tells what the test wants.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use orlop::backend::faulty::{Faulty, When};
use orlop::backend::memory::Memory;
use orlop::backend::{Local, LocalPool, Part, Registry};
use orlop::config::Endpoint;
use orlop::csi::v1;
use orlop::csi::v1::snapshot_metadata_client::SnapshotMetadataClient;
use orlop::csi::v1::snapshot_metadata_server::SnapshotMetadataServer;
use orlop::error::Error;
use orlop::host::simulated::Simulated;
use orlop::identity::Identity;
use orlop::locks::Locks;
use orlop::rpc::Calls;
use orlop::server::{self, Drain, Ended, Services, Socket};
use orlop::volume::Bytes;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

use crate::driver::{Driver, NODE};
use crate::requests::{allocated, create, delta, snapshot};
use crate::telling::{Telling, controller};

const BLOCK: u64 = 4096;
const SIZE: Bytes = Bytes::gib(1);

type Allocated = v1::GetMetadataAllocatedResponse;

/// A pool of which every other block of the first `count` was written, told `each` blocks at a time: parts that
/// end in the middle of a range, and parts without any.
fn every_other(count: u64, each: u64) -> Telling {
    Telling::new(move |from| {
        let end = count * 2 * BLOCK;
        let until = (from + each * BLOCK / 2).min(end);
        let first = from - from % (2 * BLOCK);
        let starts = (first..until).step_by(8192);
        let ranges = starts.map(|start| start.max(from)..(start + BLOCK).min(until));
        let ranges = ranges.filter(|range| !range.is_empty()).collect();
        Ok(Part { ranges, next: (until < end).then_some(until) })
    })
}

/// A pool whose answers never end.
fn endless() -> Telling {
    Telling::new(|from| {
        let ranges = (0..4096).map(|n| from + n * 2 * BLOCK..from + (n * 2 + 1) * BLOCK).collect();
        Ok(Part { ranges, next: Some(from + 4096 * 2 * BLOCK) })
    })
}

async fn driver(backend: Arc<dyn Local>) -> Driver {
    Driver::start(backend, Arc::new(Simulated::default()), 0).await
}

/// Reads the stream to its end, and returns what came and how it ended.
async fn read<M>(mut stream: Streaming<M>) -> (Vec<M>, Result<(), Status>) {
    let mut messages = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, Ok(())),
            Err(status) => return (messages, Err(status)),
        }
    }
}

fn tuples(messages: &[Allocated]) -> Vec<(i64, i64)> {
    let blocks = messages.iter().flat_map(|message| &message.block_metadata);
    blocks.map(|block| (block.byte_offset, block.size_bytes)).collect()
}

async fn whole(driver: &mut Driver, request: v1::GetMetadataAllocatedRequest) -> Vec<Allocated> {
    let stream = driver.metadata.get_metadata_allocated(request).await.unwrap().into_inner();
    let (messages, end) = read(stream).await;
    end.unwrap();
    messages
}

/// > Each message keeps to `max_results` and repeats the type and the size.
#[tokio::test]
async fn each_message_keeps_to_its_size_and_repeats_what_it_is_about() {
    let pool = every_other(10_000, 5);
    let cut = pool.cut("pvc", "snap", SIZE).await;
    let mut driver = driver(pool.pool.clone()).await;
    let expected: Vec<(i64, i64)> = (0..10_000).map(|n| (n * 8192, 4096)).collect();
    for (max_results, most) in [(0, 4096), (1, 1), (7, 7), (4096, 4096), (i32::MAX, 4096)] {
        let request = v1::GetMetadataAllocatedRequest { max_results, ..allocated(cut.id.as_str()) };
        let messages = whole(&mut driver, request).await;
        assert_eq!(messages.len(), 10_000_usize.div_ceil(most), "{max_results}");
        for message in &messages {
            assert!((1..=most).contains(&message.block_metadata.len()));
            assert_eq!(message.volume_capacity_bytes, SIZE.to_csi());
            assert_eq!(message.block_metadata_type(), v1::BlockMetadataType::VariableLength);
        }
        assert!(tuples(&messages) == expected, "{max_results}");
    }
}

/// > A stream that is begun again at the end of the last range goes on with the next one.
#[tokio::test]
async fn a_stream_that_is_resumed_at_any_tuple_goes_on_as_it_was() {
    let pool = every_other(40, 3);
    let cut = pool.cut("pvc", "snap", SIZE).await;
    let mut driver = driver(pool.pool.clone()).await;
    let all = tuples(&whole(&mut driver, allocated(cut.id.as_str())).await);
    assert_eq!(all.len(), 40);
    for (index, (offset, size)) in all.iter().enumerate() {
        let from = |starting_offset| v1::GetMetadataAllocatedRequest {
            starting_offset,
            max_results: 3,
            ..allocated(cut.id.as_str())
        };
        let rest = tuples(&whole(&mut driver, from(offset + size)).await);
        assert_eq!(rest, all[index + 1..]);
        let within = tuples(&whole(&mut driver, from(offset + 1)).await);
        assert_eq!((within[0], &within[1..]), ((offset + 1, size - 1), &all[index + 1..]));
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_right_is_told_so() {
    let pool = every_other(40, 3);
    let older = pool.cut("pvc", "older", SIZE).await;
    let newer = pool.cut("pvc", "newer", SIZE).await;
    let other = pool.cut("other", "of another", SIZE).await;
    let mut driver = driver(pool.pool.clone()).await;
    let [older, newer, other] = [&older, &newer, &other].map(|cut| cut.id.as_str());
    let unknown = "s-00000000000000000000000000000000";
    let good = delta(older, newer);
    let with = |starting_offset, max_results| v1::GetMetadataDeltaRequest {
        starting_offset,
        max_results,
        ..good.clone()
    };
    for (request, code) in [
        (delta("", newer), Code::InvalidArgument),
        (delta(older, ""), Code::InvalidArgument),
        (delta(older, other), Code::InvalidArgument),
        (delta(newer, older), Code::InvalidArgument),
        (delta(newer, newer), Code::InvalidArgument),
        (with(0, -1), Code::InvalidArgument),
        (delta(unknown, newer), Code::NotFound),
        (delta(older, unknown), Code::NotFound),
        (delta("../volumes", newer), Code::NotFound),
        (with(-1, 0), Code::OutOfRange),
        (with(i64::MIN, 0), Code::OutOfRange),
        (with(SIZE.to_csi() + 1, 0), Code::OutOfRange),
        (with(i64::MAX, 0), Code::OutOfRange),
    ] {
        let status = driver.metadata.get_metadata_delta(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), code, "{request:?}: {status}");
        assert!(status.details().is_empty() && !status.message().is_empty());
    }
    let at_the_end = driver.metadata.get_metadata_delta(with(SIZE.to_csi(), 0)).await.unwrap();
    let (messages, end) = read(at_the_end.into_inner()).await;
    assert!(messages.is_empty() && end.is_ok());
    for (request, code) in [
        (allocated(""), Code::InvalidArgument),
        (allocated(unknown), Code::NotFound),
        (
            v1::GetMetadataAllocatedRequest { max_results: -7, ..allocated(older) },
            Code::InvalidArgument,
        ),
        (
            v1::GetMetadataAllocatedRequest { starting_offset: -7, ..allocated(older) },
            Code::OutOfRange,
        ),
    ] {
        let status = driver.metadata.get_metadata_allocated(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
    }
}

/// > Where the pool cannot tell, the call is FAILED_PRECONDITION and asks for a full backup.
#[tokio::test]
async fn a_pool_that_cannot_tell_asks_for_a_full_backup() {
    let mut driver = crate::simulated::driver().await;
    let volume = driver.controller.create_volume(create("pvc")).await.unwrap().into_inner();
    let id = volume.volume.unwrap().volume_id;
    let mut cut = Vec::new();
    for name in ["one", "two"] {
        let answer = driver.controller.create_snapshot(snapshot(name, &id)).await.unwrap();
        cut.push(answer.into_inner().snapshot.unwrap().snapshot_id);
    }
    let of_one = driver.metadata.get_metadata_allocated(allocated(&cut[0])).await.unwrap_err();
    let of_two = driver.metadata.get_metadata_delta(delta(&cut[0], &cut[1])).await.unwrap_err();
    for status in [of_one, of_two] {
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().ends_with("make a full backup"), "{status}");
    }
}

/// > Changed blocks are advertised if a pool can tell them, and not otherwise.
#[tokio::test]
async fn the_service_is_advertised_where_a_pool_can_tell() {
    use orlop::csi::v1::identity_server::Identity as _;
    use orlop::csi::v1::plugin_capability::{Type, service};
    let telling = every_other(1, 1).pool;
    let silent = Arc::new(Memory::new("default", SIZE, Simulated::default()));
    for (backend, tells) in [(telling, true), (silent, false)] {
        let pools = Registry::new(vec![LocalPool::new("default", NODE, backend)]);
        let ready = Arc::new(AtomicBool::new(true));
        let identity = Identity::new(ready).telling_changes(pools.tell_changes());
        let request = Request::new(v1::GetPluginCapabilitiesRequest {});
        let answer = identity.get_plugin_capabilities(request).await.unwrap().into_inner();
        let mut all =
            answer.capabilities.iter().filter_map(|capability| match &capability.r#type {
                Some(Type::Service(service)) => Some(service.r#type()),
                _ => None,
            });
        assert_eq!(all.any(|one| one == service::Type::SnapshotMetadataService), tells);
    }
}

/// An error at any step of the way is the end of the stream; what is OK at its end is whole.
///
/// > Only a stream that has told everything ends with OK.
#[tokio::test]
async fn whatever_fails_no_stream_ends_well_without_all_of_it() {
    let mut failed = 0;
    for (step, when) in (1..40).flat_map(|step| [(step, When::Before), (step, When::After)]) {
        let pool = every_other(40, 8);
        let cut = pool.cut("pvc", "snap", SIZE).await;
        let faulty = Arc::new(Faulty::new(pool.pool.clone(), step, when));
        // Nothing but the service itself calls this pool.
        let mut running = Running::on(faulty.clone()).await;
        let request =
            v1::GetMetadataAllocatedRequest { max_results: 4, ..allocated(cut.id.as_str()) };
        let (messages, end) = match running.client.get_metadata_allocated(request).await {
            Ok(stream) => read(stream.into_inner()).await,
            Err(status) => (Vec::new(), Err(status)),
        };
        assert_eq!(end.is_err(), faulty.has_failed(), "{step} {when:?}");
        match end {
            Ok(()) => assert_eq!(tuples(&messages).len(), 40),
            Err(status) => {
                failed += 1;
                assert_eq!(status.code(), Code::Internal, "{status}");
                assert!(tuples(&messages).len() < 40);
            }
        }
    }
    assert!(failed > 20, "{failed}");
}

/// > A client that reads slowly costs no memory and keeps nobody else waiting.
#[tokio::test]
async fn a_client_that_does_not_read_slows_the_work_down_and_keeps_nobody_else() {
    let pool = endless();
    let cut = pool.cut("pvc", "snap", SIZE).await;
    let mut driver = driver(pool.pool.clone()).await;
    let request = allocated(cut.id.as_str());
    let stalled = driver.metadata.get_metadata_allocated(request.clone()).await.unwrap();
    let asked = settled(&pool).await;
    // The client's own window takes 2 MiB, which is some forty messages of this size; the rest is on the way.
    assert!(asked < 80, "{asked} parts were made for a client that reads none");
    // Another client of the same connection.
    let mut reader = driver.metadata.get_metadata_allocated(request).await.unwrap().into_inner();
    for _ in 0..200 {
        assert_eq!(reader.message().await.unwrap().unwrap().block_metadata.len(), 4096);
    }
    drop((stalled, reader));
    let after = settled(&pool).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(pool.asked(), after, "nobody reads any more");
}

/// Waits until the pool is asked for no more, and returns how often it was.
async fn settled(pool: &Telling) -> u64 {
    let mut before = u64::MAX;
    for _ in 0..100 {
        let asked = pool.asked();
        if asked == before {
            return asked;
        }
        before = asked;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("asked again and again, {before} times");
}

/// A real server, which can be stopped.
struct Running {
    client: SnapshotMetadataClient<Channel>,
    drain: Drain,
    serving: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    _room: tempfile::TempDir,
}

impl Running {
    async fn on(pool: Arc<dyn Local>) -> Self {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("csi.sock");
        let socket = Socket::listen(&Endpoint::at(&path).unwrap()).await.unwrap();
        let (calls, stop) = (Calls::default(), CancellationToken::new());
        let services = Services::of(SnapshotMetadataServer::new(controller(pool)));
        let serving = tokio::spawn(server::serve(socket, services, calls.clone(), stop.clone()));
        let client = SnapshotMetadataClient::new(crate::driver::connect(path).await);
        let drain = Drain { stop, calls, locks: Locks::default(), grace: Duration::from_secs(20) };
        Self { client, drain, serving, _room: room }
    }

    async fn stop(self) -> Ended {
        let Self { drain, serving, .. } = self;
        let serving = async { serving.await.unwrap().unwrap() };
        drain.run(serving, std::future::pending()).await
    }
}

#[tokio::test]
async fn a_stopping_driver_ends_its_streams_as_unavailable() {
    let pool = endless();
    let cut = pool.cut("pvc", "snap", SIZE).await;
    let mut running = Running::on(pool.pool.clone()).await;
    let stream = running.client.get_metadata_allocated(allocated(cut.id.as_str())).await.unwrap();
    let reading = tokio::spawn(read(stream.into_inner()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(running.drain.calls.running().len(), 1, "a stream is a running call");
    let (calls, began) = (running.drain.calls.clone(), Instant::now());
    assert_eq!(running.stop().await, Ended::Cleanly);
    let (messages, end) = reading.await.unwrap();
    assert!(!messages.is_empty());
    assert_eq!(end.unwrap_err().code(), Code::Unavailable);
    assert!(began.elapsed() < Duration::from_secs(5) && calls.running().is_empty());
}

#[tokio::test]
async fn a_stopping_driver_does_not_wait_for_a_client_that_does_not_read() {
    let pool = endless();
    let cut = pool.cut("pvc", "snap", SIZE).await;
    let mut running = Running::on(pool.pool.clone()).await;
    let request = allocated(cut.id.as_str());
    let _stalled = running.client.get_metadata_allocated(request).await.unwrap();
    settled(&pool).await;
    let began = Instant::now();
    assert_eq!(running.stop().await, Ended::Cleanly);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_defect_in_the_middle_ends_its_own_stream_alone() {
    let pool = Telling::new(|from| {
        assert!(from == 0, "a defect");
        let ranges = (0..9000).map(|n| n * 2 * BLOCK..(n * 2 + 1) * BLOCK).collect();
        Ok(Part { ranges, next: Some(1 << 29) })
    });
    let cut = pool.cut("pvc", "snap", SIZE).await;
    let mut running = Running::on(pool.pool.clone()).await;
    let request = allocated(cut.id.as_str());
    for _ in 0..2 {
        let stream = running.client.get_metadata_allocated(request.clone()).await.unwrap();
        let (messages, end) = read(stream.into_inner()).await;
        assert_eq!(messages.len(), 2);
        assert_eq!(end.unwrap_err().code(), Code::Internal);
    }
}

#[tokio::test]
async fn an_error_behind_the_first_message_is_the_end_with_its_own_code() {
    let pool = Telling::new(|from| {
        if from > 0 {
            return Err(Error::no_snapshot("s-gone"));
        }
        let ranges = (0..5000).map(|n| n * 2 * BLOCK..(n * 2 + 1) * BLOCK).collect();
        Ok(Part { ranges, next: Some(1 << 29) })
    });
    let cut = pool.cut("pvc", "snap", SIZE).await;
    let mut driver = driver(pool.pool.clone()).await;
    let stream = driver.metadata.get_metadata_allocated(allocated(cut.id.as_str())).await.unwrap();
    let (messages, end) = read(stream.into_inner()).await;
    assert_eq!((messages.len(), end.unwrap_err().code()), (1, Code::NotFound));
}
