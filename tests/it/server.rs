//! The server around services of our own making: slow ones, and one that panics.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orlop::config::Endpoint;
use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use orlop::csi::v1::controller_server::{Controller, ControllerServer};
use orlop::error::Error;
use orlop::locks::Locks;
use orlop::rpc::{Calls, Method, answer};
use orlop::server::{self, Drain, Ended, Services, Socket};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{self, Channel};
use tonic::{Code, Request, Response, Status};

/// How long the work of a slow call takes: more than any client here waits.
const WORK: Duration = Duration::from_millis(600);

/// The id of the volume is what the call does.
#[derive(Debug)]
struct Stub {
    locks: Locks,
}

#[tonic::async_trait]
impl Controller for Stub {
    async fn delete_volume(
        &self,
        request: Request<v1::DeleteVolumeRequest>,
    ) -> Result<Response<v1::DeleteVolumeResponse>, Status> {
        let id = request.into_inner().volume_id;
        assert!(id != "panic", "a defect");
        let outcome = match self.locks.try_lock(&id) {
            Err(pending) => Err(pending),
            Ok(_guard) if id == "slow" => {
                tokio::time::sleep(WORK).await;
                Ok(v1::DeleteVolumeResponse {})
            }
            Ok(_guard) if id == "endless" => std::future::pending().await,
            Ok(_guard) => Err(Error::unfit("as asked")),
        };
        answer(Method::DeleteVolume, outcome)
    }
}

/// A server with its table of calls.
struct Running {
    room: tempfile::TempDir,
    calls: Calls,
    locks: Locks,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), transport::Error>>,
}

impl Running {
    async fn start() -> Self {
        let room = tempfile::tempdir().unwrap();
        let socket = Socket::listen(&Endpoint::at(&socket_in(room.path())).unwrap()).await.unwrap();
        let (calls, locks, stop) = (Calls::default(), Locks::default(), CancellationToken::new());
        let services = Services::of(ControllerServer::new(Stub { locks: locks.clone() }));
        let serving = tokio::spawn(server::serve(socket, services, calls.clone(), stop.clone()));
        Self { room, calls, locks, stop, serving }
    }

    fn socket(&self) -> PathBuf {
        socket_in(self.room.path())
    }

    async fn client(&self) -> ControllerClient<Channel> {
        ControllerClient::new(crate::driver::connect(self.socket()).await)
    }

    async fn drain(self, grace: Duration) -> Ended {
        let Self { room: _room, calls, locks, stop, serving } = self;
        let serving = async { serving.await.unwrap().unwrap() };
        Drain { stop, calls, locks, grace }.run(serving, std::future::pending()).await
    }
}

fn socket_in(room: &Path) -> PathBuf {
    room.join("csi.sock")
}

async fn connect_as(socket: PathBuf, authority: &'static str) -> Channel {
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    transport::Endpoint::from_static(authority).connect_with_connector(connector).await.unwrap()
}

fn delete(id: &str) -> Request<v1::DeleteVolumeRequest> {
    Request::new(v1::DeleteVolumeRequest { volume_id: id.to_owned(), ..Default::default() })
}

/// > A call goes on when its client has gone or its deadline is over, and keeps its volume until it has ended.
#[tokio::test]
async fn work_and_its_lock_outlive_a_client_with_a_deadline() {
    let server = Running::start().await;
    let mut client = server.client().await;
    let mut hasty = delete("slow");
    hasty.set_timeout(Duration::from_millis(150));
    let gone = client.delete_volume(hasty).await.unwrap_err();
    assert!(matches!(gone.code(), Code::Cancelled | Code::DeadlineExceeded), "{gone}");

    let busy = client.delete_volume(delete("slow")).await.unwrap_err();
    assert_eq!(busy.code(), Code::Aborted, "{busy}");
    assert_eq!(server.calls.running().len(), 1);

    tokio::time::sleep(WORK).await;
    client.delete_volume(delete("slow")).await.unwrap();
    assert!(server.calls.running().is_empty() && server.locks.held().is_empty());
}

/// > A defect in one call is INTERNAL for that call; the others, and the next one, work.
#[tokio::test]
async fn a_panic_is_internal_and_the_connection_goes_on() {
    let server = Running::start().await;
    let mut client = server.client().await;
    let status = client.delete_volume(delete("panic")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().starts_with("DeleteVolume: the call panicked"), "{status}");
    assert_eq!(client.delete_volume(delete("x")).await.unwrap_err().message(), "as asked");
}

#[tokio::test]
async fn an_unknown_call_is_unimplemented() {
    let server = Running::start().await;
    let channel = crate::driver::connect(server.socket()).await;
    let mut node = v1::node_client::NodeClient::new(channel);
    let status = node.node_get_info(v1::NodeGetInfoRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

/// > A driver that is asked to stop accepts nothing new and finishes what began.
#[tokio::test]
async fn what_began_is_finished_and_nothing_new_is_accepted() {
    let server = Running::start().await;
    let (socket, mut client) = (server.socket(), server.client().await);
    let call = tokio::spawn(async move { client.delete_volume(delete("slow")).await });
    tokio::time::sleep(Duration::from_millis(150)).await;

    let began = Instant::now();
    let drain = tokio::spawn(server.drain(Duration::from_secs(20)));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(UnixStream::connect(&socket).await.is_err());
    assert!(!socket.exists());

    assert_eq!(drain.await.unwrap(), Ended::Cleanly);
    assert!(began.elapsed() < Duration::from_secs(5));
    call.await.unwrap().unwrap();
}

/// > What a stopping driver cannot finish within `shutdownGrace` it gives up.
#[tokio::test]
async fn what_cannot_be_finished_is_given_up_at_the_limit() {
    let server = Running::start().await;
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.delete_volume(delete("endless")).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    assert_eq!(server.drain(Duration::from_millis(300)).await, Ended::Unfinished);
    assert!((300..3_000).contains(&began.elapsed().as_millis()));
    call.abort();
}

#[tokio::test]
async fn a_client_that_only_stays_connected_is_no_reason_to_wait() {
    let server = Running::start().await;
    let _client = server.client().await;
    let _mute = UnixStream::connect(server.socket()).await.unwrap();
    let began = Instant::now();
    assert_eq!(server.drain(Duration::from_secs(20)).await, Ended::Cleanly);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_authority_does_not_matter() {
    let server = Running::start().await;
    for authority in
        ["http://localhost", "http://127.0.0.1:1", "http://csi.orlop.dev", "http://[::1]:50051"]
    {
        let channel = connect_as(server.socket(), authority).await;
        let status = ControllerClient::new(channel).delete_volume(delete("x")).await.unwrap_err();
        assert_eq!(status.message(), "as asked", "{authority}");
    }
}
