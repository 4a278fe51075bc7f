use super::*;

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
