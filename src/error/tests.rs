use super::*;

/// Every meaning, so that a new variant has to be added to the table below.
fn each() -> Vec<(&'static str, Error)> {
    vec![
        ("invalid", Error::invalid("name", "is empty")),
        ("not found", Error::no_volume("v-1")),
        (
            "differs",
            Error::Differs { what: Noun::Volume, id: "v-1".into(), how: "as block".into() },
        ),
        ("out of range", Error::OutOfRange { reason: "too small".into() }),
        ("exhausted", Error::Exhausted { place: "pool p".into(), asked: Bytes(2), free: Bytes(1) }),
        ("elsewhere", Error::Elsewhere { reason: "on n2".into() }),
        ("too many", Error::TooManyAttached { node: "n".into(), limit: 2 }),
        ("in use", Error::InUse { what: Noun::Volume, id: "v-1".into(), by: "a mount".into() }),
        ("unfit", Error::unfit("is xfs")),
        ("pending", Error::Pending { id: "v-1".into(), seconds: None }),
        ("bad token", Error::BadToken { token: "x".into() }),
        ("unsupported", Error::Unsupported { what: "cloning".into() }),
        ("unreachable", Error::Unreachable { peer: "p".into(), source: "gone".into() }),
        ("internal", Error::internal("opening", "gone")),
    ]
}

#[test]
fn each_meaning_has_the_code_that_the_sidecars_read_rightly() {
    let on = |method: Method| -> Vec<(&str, Code)> {
        each().into_iter().map(|(name, error)| (name, error.code(method))).collect()
    };
    let mut expected = vec![
        ("invalid", Code::InvalidArgument),
        ("not found", Code::NotFound),
        ("differs", Code::AlreadyExists),
        ("out of range", Code::OutOfRange),
        ("exhausted", Code::ResourceExhausted),
        ("elsewhere", Code::ResourceExhausted),
        ("too many", Code::ResourceExhausted),
        ("in use", Code::FailedPrecondition),
        ("unfit", Code::FailedPrecondition),
        ("pending", Code::Aborted),
        ("bad token", Code::Aborted),
        ("unsupported", Code::InvalidArgument),
        ("unreachable", Code::Unavailable),
        ("internal", Code::Internal),
    ];
    assert_eq!(on(Method::CreateVolume), expected);
    expected[4].1 = Code::OutOfRange;
    assert_eq!(on(Method::ControllerExpandVolume), expected);
}

#[test]
fn no_room_for_a_snapshot_is_final_so_that_it_can_be_deleted() {
    let full = Error::Exhausted { place: "pool p".into(), asked: Bytes(2), free: Bytes(1) };
    assert_eq!(full.code(Method::CreateSnapshot), Code::FailedPrecondition);
    assert_eq!(full.code(Method::CreateVolumeGroupSnapshot), Code::FailedPrecondition);
}

#[test]
fn a_sentence_is_the_whole_chain_without_repetition() {
    let error = Error::internal("write the record", std::io::Error::other("disk on fire"));
    assert_eq!(error.sentence(), "write the record: disk on fire");
}
