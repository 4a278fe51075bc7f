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

#[test]
fn a_meaning_is_one_word_between_processes_and_an_unknown_one_is_internal() {
    for (number, meaning) in Meaning::ALL.into_iter().enumerate() {
        // All of them are in the list, because the last one is the last.
        assert_eq!(meaning as usize, number);
        let word = serde_json::to_string(&meaning).unwrap();
        assert_eq!(serde_json::from_str::<Meaning>(&word).unwrap(), meaning);
    }
    assert_eq!(Meaning::ALL.len(), Meaning::Internal as usize + 1);
    assert_eq!(serde_json::to_string(&Meaning::NotFound).unwrap(), "\"notFound\"");
    assert_eq!(serde_json::from_str::<Meaning>("\"outOfLuck\"").unwrap(), Meaning::Internal);
}

#[test]
fn what_another_process_tells_is_as_good_as_if_it_had_happened_here() {
    let full = Error::Exhausted { place: "pool p".into(), asked: Bytes(2), free: Bytes(1) };
    let told = Error::Told { meaning: full.meaning(), sentence: full.sentence() };
    assert_eq!(told.sentence(), full.sentence());
    for method in [Method::CreateVolume, Method::ControllerExpandVolume, Method::CreateSnapshot] {
        assert_eq!(told.code(method), full.code(method));
    }
}
