use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tonic::Code;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, ServiceExt};

use super::*;
use crate::rpc::{Calls, CallsLayer};

const PATH: &str = "/csi.v1.SnapshotMetadata/GetMetadataDelta";

/// What a handler's body does with each poll.
#[derive(Debug, Default)]
struct Script(std::collections::VecDeque<Step>);

#[derive(Debug)]
enum Step {
    Message(&'static str),
    Wait,
    Panic,
    End(Code),
}

impl HttpBody for Script {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        let frame = match self.0.pop_front() {
            Some(Step::Message(text)) => Frame::data(Bytes::from_static(text.as_bytes())),
            Some(Step::Wait) => return Poll::Pending,
            Some(Step::Panic) => panic!("a defect"),
            Some(Step::End(code)) => {
                let mut trailers = HeaderMap::new();
                Status::new(code, "").add_header(&mut trailers).unwrap();
                Frame::trailers(trailers)
            }
            None => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(frame)))
    }
}

/// An answered call, what it is written to the log, and what it depends on.
struct Answered {
    body: Body,
    calls: Calls,
    stop: CancellationToken,
    log: Log,
    _logging: tracing::subscriber::DefaultGuard,
}

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Answered {
    async fn with(script: impl IntoIterator<Item = Step>) -> Self {
        let (calls, stop, log) = (Calls::default(), CancellationToken::new(), Log::default());
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let mut script = Some(Script(script.into_iter().collect()));
        let handler = tower::service_fn(move |_: Request<String>| {
            let body = Body::new(script.take().unwrap());
            async move { Ok::<_, Infallible>(Response::new(body)) }
        });
        let service = CallsLayer::new(calls.clone(), stop.clone()).layer(handler);
        let request = Request::builder().uri(PATH).body(String::new()).unwrap();
        let body = service.oneshot(request).await.unwrap().into_body();
        Self { body, calls, stop, log, _logging: logging }
    }

    async fn frame(&mut self) -> Option<Result<Frame<Bytes>, Status>> {
        poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await
    }

    async fn message(&mut self) -> Bytes {
        self.frame().await.unwrap().unwrap().into_data().unwrap()
    }

    async fn end(&mut self) -> Status {
        let trailers = self.frame().await.unwrap().unwrap().into_trailers().unwrap();
        Status::from_header_map(&trailers).unwrap()
    }

    fn running(&self) -> usize {
        self.calls.running().len()
    }

    fn log(&self) -> String {
        String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn a_call_lasts_until_its_last_message_is_out() {
    let script = [Step::Message("one"), Step::Message("two"), Step::End(Code::Ok)];
    let mut answered = Answered::with(script).await;
    assert_eq!(answered.message().await, "one");
    assert_eq!(answered.running(), 1);
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(answered.message().await, "two");
    assert!(!answered.log().contains("code="), "{}", answered.log());
    assert_eq!(answered.end().await.code(), Code::Ok);
    assert_eq!(answered.running(), 0);
    let log = answered.log();
    assert_eq!(log.matches("code=\"OK\"").count(), 1, "{log}");
    assert!(log.contains("rpc{method=\"GetMetadataDelta\"}"), "{log}");
    let duration = log.split("duration=").nth(1).unwrap();
    let millis: f64 = duration.split("ms").next().unwrap().parse().unwrap();
    assert!(millis >= 120.0, "{log}");
}

#[tokio::test]
async fn a_stop_is_the_end_of_a_stream_and_never_ok() {
    let mut answered = Answered::with([Step::Message("one"), Step::Wait]).await;
    answered.message().await;
    let stop = answered.stop.clone();
    let stopping = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(30)).await;
        stop.cancel();
    });
    let status = answered.end().await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(answered.frame().await.is_none());
    assert_eq!(answered.running(), 0);
    assert_eq!(answered.log().matches("code=\"UNAVAILABLE\"").count(), 1);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_panic_in_the_middle_is_the_end_of_its_own_stream() {
    let mut answered = Answered::with([Step::Message("one"), Step::Panic]).await;
    answered.message().await;
    let status = answered.end().await;
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().starts_with("GetMetadataDelta: the call panicked"), "{status}");
    assert!(answered.frame().await.is_none());
    assert_eq!(answered.log().matches("code=\"INTERNAL\"").count(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_the_work() {
    let mut answered = Answered::with([Step::Message("one"), Step::End(Code::Ok)]).await;
    answered.message().await;
    answered.body = Body::empty();
    assert_eq!(answered.running(), 0);
    let log = answered.log();
    assert!(log.contains("code=\"CANCELLED\"") && !log.contains("code=\"OK\""), "{log}");
}

#[tokio::test]
async fn a_stream_that_just_ends_did_not_end_well() {
    let mut answered = Answered::with([Step::Message("one")]).await;
    answered.message().await;
    assert!(answered.frame().await.is_none());
    let log = answered.log();
    assert!(log.contains("code=\"UNKNOWN\""), "{log}");
}
