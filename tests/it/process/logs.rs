//! What the driver logs: one line for each call, in the form asked for, and never a secret.

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;
use serde_json::Value;

use super::program::{Process, Room};
use crate::driver::connect;
use crate::requests;

/// A secret that no line may show.
const SECRET: &str = "hunter2-hunter2";

async fn create(room: &Room) {
    let mut controller = ControllerClient::new(connect(room.socket()).await);
    let mut request = requests::create("pvc-1");
    request.secrets.insert("password".to_owned(), SECRET.to_owned());
    controller.create_volume(request.clone()).await.unwrap();
    request.name.clear();
    controller.create_volume(request).await.unwrap_err();
    controller.list_volumes(v1::ListVolumesRequest::default()).await.unwrap();
}

fn calls(lines: &[Value]) -> Vec<(String, String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let of_calls = lines.iter().filter(|line| line["code"].is_string());
    of_calls
        .map(|line| {
            let (span, code) = (&line["span"], text(&line["code"]).unwrap());
            (
                text(&line["level"]).unwrap(),
                text(&span["method"]).unwrap(),
                code,
                text(&span["volume"]),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_call_is_one_json_line() {
    let room = Room::new();
    let driver = room.start(&["--log-format", "json", "--log-level", "debug"]);
    create(&room).await;
    let ended = driver.stop();
    let lines: Vec<Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["message"].is_string()));
    let volume = "v-f2868e1aa7cab669517cd9f5ab1b7957";
    let line = |level: &str, method: &str, code: &str, volume: Option<&str>| {
        (level.to_owned(), method.to_owned(), code.to_owned(), volume.map(str::to_owned))
    };
    assert_eq!(
        calls(&lines),
        [
            line("INFO", "CreateVolume", "OK", Some(volume)),
            line("WARN", "CreateVolume", "INVALID_ARGUMENT", None),
            line("DEBUG", "ListVolumes", "OK", None),
        ]
    );
    let refused = lines.iter().find(|line| line["code"] == "INVALID_ARGUMENT").unwrap();
    assert_eq!(refused["message"], "name: is required");
    assert!(refused["duration"].as_str().unwrap().ends_with('s'));
    assert!(!ended.stderr.contains(SECRET));
}

/// > Secrets are in no log line, at whatever level.
#[tokio::test]
async fn the_level_is_changed_over_the_admin_socket_and_secrets_stay_hidden() {
    let room = Room::new();
    let driver = room.start(&[]);
    let config = room.config().display().to_string();
    let verb = Process::start(&["log-level", "trace,h2=info", "--config", &config], &[]).end();
    assert_eq!(
        (verb.code, verb.stdout.as_str()),
        (Some(0), "the driver logs at trace,h2=info now\n"),
        "{}",
        verb.stderr
    );
    create(&room).await;
    let ended = driver.stop();
    assert!(ended.stderr.contains("TRACE rpc{method=\"CreateVolume\""), "{}", ended.stderr);
    assert!(!ended.stderr.contains(SECRET) && !ended.stderr.contains('\u{1b}'));
    assert_eq!(ended.stdout, "");

    let nobody = Process::start(&["log-level", "info", "--config", &config], &[]).end();
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.stderr.starts_with("orlop: no driver listens on unix://"), "{}", nobody.stderr);
}
