use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tonic::Code;
use tower::ServiceExt;

use super::*;

const PATH: &str = "/csi.v1.Controller/CreateVolume";

fn request(path: &str) -> Request<String> {
    Request::builder().uri(path).body(String::new()).unwrap()
}

fn code<B>(response: &Response<B>) -> Code {
    Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_next_call_works() {
    let calls = Calls::default();
    let handler = tower::service_fn(|request: Request<String>| async move {
        assert!(request.uri().path() != PATH, "a defect");
        Ok::<_, Infallible>(Response::new("well".to_owned()))
    });
    let service = CallsLayer::new(calls.clone(), CancellationToken::new()).layer(handler);

    let response = service.clone().oneshot(request(PATH)).await.unwrap();
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), Code::Internal);
    assert!(
        status.message().starts_with("CreateVolume: the call panicked"),
        "{}",
        status.message()
    );
    assert!(!status.message().contains("a defect\""), "the panic's own text is for the log");

    let response = service.oneshot(request("/csi.v1.Identity/Probe")).await.unwrap();
    assert_eq!(code(&response), Code::Ok);
    let mut body = response.into_body();
    let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "well");
    assert!(calls.running().is_empty());
}

#[tokio::test]
async fn work_outlives_a_client_that_hangs_up() {
    let calls = Calls::default();
    let done = Arc::new(AtomicBool::new(false));
    let handler = {
        let done = Arc::clone(&done);
        tower::service_fn(move |_: Request<String>| {
            let done = Arc::clone(&done);
            async move {
                tokio::time::sleep(Duration::from_millis(600)).await;
                done.store(true, Ordering::SeqCst);
                Ok::<_, Infallible>(Response::new(String::new()))
            }
        })
    };
    let service = CallsLayer::new(calls.clone(), CancellationToken::new()).layer(handler);

    let call = service.oneshot(request(PATH));
    tokio::time::timeout(Duration::from_millis(150), call).await.unwrap_err();
    assert!(!done.load(Ordering::SeqCst));
    let running = calls.running();
    assert_eq!(running.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), ["CreateVolume"]);
    assert_eq!(running[0].to_string(), "CreateVolume (for 0 s)");

    calls.finished().await;
    assert!(done.load(Ordering::SeqCst));
    assert!(calls.running().is_empty());
}

#[test]
fn a_foreign_path_is_cut_and_escaped() {
    assert_eq!(name_of(Method::CreateVolume, PATH), "CreateVolume");
    assert_eq!(
        name_of(Method::Other, "/orlop.admin.v1.Admin/Adopt"),
        "/orlop.admin.v1.Admin/Adopt"
    );
    assert_eq!(name_of(Method::Other, "/a\nb"), "/a\\nb");
    assert!(name_of(Method::Other, &"/x".repeat(1000)).len() <= 64);
}
