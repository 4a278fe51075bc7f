use std::num::NonZeroU64;

use serde_json::{Value, json};

use super::*;
use crate::volume::{Asked, BlockSize, Content, FsType, Limits, Name, Timestamp};

fn volume(name: &str) -> Volume {
    let name = Name::parse(name).unwrap();
    Volume {
        id: VolumeId::of(&name),
        name,
        size: Bytes::gib(1),
        asked: Asked { required: Some(Bytes::gib(1)), limit: None },
        content: Content::FileSystem(FsType::Xfs),
        block_size: BlockSize::B4096,
        asked_limits: Limits::NONE,
        limits: Limits { write_iops: NonZeroU64::new(500), ..Limits::NONE },
        source: None,
        attachments: Vec::new(),
        created: Timestamp::now(),
    }
}

fn changed(record: &VolumeRecord, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::to_value(record).unwrap();
    change(&mut value);
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn a_record_is_read_back_as_it_was_written() {
    let record = VolumeRecord::new(volume("pvc-1"), None);
    let text = text(&record).unwrap();
    assert_eq!(parse::<VolumeRecord>(&text, record.id()).unwrap(), record);
    let value: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(value["formatVersion"], 1);
    assert_eq!(value["volume"]["name"], "pvc-1");
    assert_eq!(value["volume"]["size"], 1 << 30);
    assert_eq!(value["volume"]["content"], json!({"fileSystem": "xfs"}));
    assert_eq!(value["volume"]["blockSize"], 4096);
    assert!(value.get("pending").is_none());
}

#[test]
fn whatever_is_not_exactly_a_record_of_this_id_is_a_flaw() {
    let record = VolumeRecord::new(volume("pvc-1"), None);
    let whole = text(&record).unwrap();
    let half = &whole[..whole.len() / 2];
    let other = VolumeRecord::new(volume("pvc-2"), None);
    let newer = changed(&record, |value| {
        value["formatVersion"] = json!(2);
        value["volume"]["size"] = json!({"bytes": 1});
    });
    let unknown = changed(&record, |value| value["volume"]["colour"] = json!("red"));
    let cases: [(&str, &[u8], &str); 8] = [
        ("empty", b"", "is empty"),
        ("half", half, "is no record: EOF"),
        ("zeros", &[0; 512], "is no record: expected value"),
        ("foreign JSON", br#"{"kind": "Pod"}"#, "is no record: unknown field `kind`"),
        ("no JSON", b"data", "is no record: expected value"),
        ("newer", &newer, "has format 2, which a newer Orlop wrote"),
        ("an unknown key", &unknown, "is no record: unknown field `colour`"),
        ("of another", &text(&other).unwrap(), "is the record of v-"),
    ];
    for (name, text, expected) in cases {
        let flaw = parse::<VolumeRecord>(text, record.id()).unwrap_err().to_string();
        assert!(flaw.starts_with(expected), "{name}: {flaw}");
    }
}
