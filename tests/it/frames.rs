//! What no gRPC library sends: frames that are none, calls that never end, and clients that hang up in the middle.

use std::io::Write;
use std::os::unix::net::UnixStream;

use orlop::csi::v1;
use orlop::csi::v1::identity_client::IdentityClient;
use prost::Message as _;
use tonic::Code;
use tonic::codegen::Bytes;

use super::process::program::Room;
use crate::driver::connect;
use crate::fuzzer::is_alive;
use crate::raw::{frame, post};
use crate::requests::create;

const CREATE: &str = "/csi.v1.Controller/CreateVolume";
const ALLOCATED: &str = "/csi.v1.SnapshotMetadata/GetMetadataAllocated";

/// What every HTTP/2 connection begins with, and an empty frame of settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// > Bytes that are no request are INVALID_ARGUMENT, and are nobody else's matter.
#[tokio::test]
async fn what_cannot_be_read_is_the_callers_mistake() {
    let room = Room::new();
    let driver = room.start(&[]);
    let mut channel = connect(room.socket()).await;
    let good = frame(&create("pvc").encode_to_vec());
    let with = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        Bytes::from(bytes)
    };
    for (what, body) in [
        ("no message at all", Bytes::new()),
        ("half a head", good.slice(..3)),
        ("half a message", good.slice(..good.len() - 1)),
        ("a longer message than comes", with(4, 0xff)),
        ("a compression that nobody named", with(0, 1)),
        ("a flag that there is not", with(0, 7)),
        ("no protobuf", frame(&[0xff; 40])),
        ("a text that is none", frame(&[0x0a, 2, 0xc3, 0x28])),
        ("a field that never ends", frame(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])),
    ] {
        for path in [CREATE, ALLOCATED] {
            let status = post(&mut channel, path, body.clone()).await;
            assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
            assert!(status.message().starts_with("the request cannot be read"), "{status:?}");
        }
    }
    // More than any request of CSI may have.
    let huge = post(&mut channel, CREATE, frame(&vec![0; 5 << 20])).await;
    assert!(matches!(huge.code(), Code::OutOfRange | Code::InvalidArgument), "{huge:?}");
    let nobody = post(&mut channel, "/csi.v1.Controller/Nothing", good).await;
    assert_eq!(nobody.code(), Code::Unimplemented);
    is_alive(&channel).await;
    let said = driver.stop().stderr;
    assert!(!said.contains("panicked") && !said.contains("INTERNAL"), "{said}");
}

#[tokio::test]
async fn clients_that_stay_silent_or_leave_are_nobody_elses_matter() {
    let room = Room::new();
    let driver = room.start(&[]);
    let parts: [&[u8]; 6] = [
        b"",
        &PREFACE[..7],
        PREFACE,
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 4096],
        // A frame of headers that says it has more bytes than come.
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\x40\0\x01\x04\0\0\0\x01\x82",
    ];
    let mut silent = Vec::new();
    for number in 0..120 {
        let mut stream = UnixStream::connect(room.socket()).unwrap();
        // The driver may have hung up already, which is its right.
        drop(stream.write_all(parts[number % parts.len()]));
        // Every other one leaves.
        if (number / parts.len()).is_multiple_of(2) {
            silent.push(stream);
        }
    }
    let channel = connect(room.socket()).await;
    IdentityClient::new(channel.clone()).probe(v1::ProbeRequest::default()).await.unwrap();
    is_alive(&channel).await;
    let said = driver.stop().stderr;
    assert!(!said.contains("panicked"), "{said}");
    drop(silent);
}
