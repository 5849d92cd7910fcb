//! Histories written by the real writer to a temporary folder, then read back whole, torn and damaged.

use std::path::PathBuf;

use firedrill_storage::Event;
use proptest::prelude::*;

use super::*;
use crate::history::frame::{self, MAGIC, Tag};
use crate::history::testing::{self, read};
use crate::history::{HistoryWriter, OpBatch, OpRecord, Presence};

fn header() -> Header {
    Header {
        scenario: "redis-outage".into(),
        seed: 42,
        ttl_slack_ns: 50_000_000,
        epoch_ms: 1_700_000_000_000,
        ..testing::header(3_600_000_000_000)
    }
}

fn op(index: u64, started: i64, tokens_at: u32, tokens_len: u32) -> OpRecord {
    OpRecord {
        index,
        planned: started - 10,
        version: 1,
        session: 5,
        process: 6,
        tokens_at,
        tokens_len,
        presence: Presence::Present,
        ..read(started..started + 1_000)
    }
}

/// Two batches with a note before and after, as two workers would deliver them: the second batch began first.
fn two_batches() -> ([OpBatch; 2], [Note; 2]) {
    let late = OpBatch { ops: vec![op(2, 500, 0, 2), op(3, 900, 2, 0)], tokens: vec![11, 12] };
    let early = OpBatch { ops: vec![op(0, 100, 0, 1), op(1, 700, 1, 3)], tokens: vec![7, 8, 9, 10] };
    (
        [late, early],
        [Note::StoreRebuilt { at: 800 }, Note::Store { at: 300, instance: 0, event: Event::Lost { sessions: 2 } }],
    )
}

fn write(finished: bool) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.fdh");
    let ([late, early], notes) = two_batches();
    let mut writer = HistoryWriter::create(&path, &header()).unwrap();
    writer.note(&notes[0]).unwrap();
    writer.append(&late).unwrap();
    writer.append(&early).unwrap();
    writer.note(&notes[1]).unwrap();
    if finished {
        writer.finish().unwrap();
    }
    (dir, path)
}

fn written(finished: bool) -> Vec<u8> {
    let (_dir, path) = write(finished);
    std::fs::read(path).unwrap()
}

fn parsed(bytes: &[u8]) -> Result<(History, Tail), HistoryError> {
    let mut frames = Frames::of(Path::new("history.fdh"), bytes, bytes.len() as u64)?;
    let header = frames.header()?;
    let (mut ops, mut notes, tail) = contents(&mut frames, u64::MAX, |_| true)?;
    ops.ops.sort_by_key(|op| (op.started, op.index));
    notes.sort_by_key(Note::at);
    Ok((History { header, ops, notes }, tail))
}

fn indices(history: &History) -> Vec<u64> {
    history.ops.ops.iter().map(|op| op.index).collect()
}

#[test]
fn a_finished_history_comes_back_sorted_by_time_with_its_tokens() {
    let (_dir, path) = write(true);
    let (history, tail) = History::load(&path).unwrap();
    assert_eq!(tail, Tail::Complete);
    assert_eq!(history.header, header());
    assert_eq!(indices(&history), [0, 2, 1, 3]);
    let tokens: Vec<_> = history.ops.ops.iter().map(|op| history.ops.tokens_of(op)).collect();
    assert_eq!(tokens, [&[7][..], &[11, 12], &[8, 9, 10], &[]]);
    assert_eq!(
        history.notes,
        [Note::Store { at: 300, instance: 0, event: Event::Lost { sessions: 2 } }, Note::StoreRebuilt { at: 800 }]
    );
}

#[test]
fn an_earlier_drills_history_is_not_overwritten() {
    let (_dir, path) = write(true);
    assert!(matches!(HistoryWriter::create(&path, &header()), Err(HistoryError::Io { action: "create", .. })));
    assert!(History::load(&path).is_ok());
}

#[test]
fn a_history_without_its_end_is_unfinished_but_whole() {
    let (history, tail) = parsed(&written(false)).unwrap();
    assert_eq!(tail, Tail::Unfinished);
    assert_eq!(indices(&history), [0, 2, 1, 3]);
    assert_eq!(history.notes.len(), 2);
}

#[test]
fn a_long_batch_is_split_into_frames_and_comes_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.fdh");
    let batch = OpBatch {
        ops: (0..40_000).map(|i| op(i, 1_000_000 * i as i64, 2 * i as u32, 2)).collect(),
        tokens: (0..80_000).collect(),
    };
    let mut writer = HistoryWriter::create(&path, &header()).unwrap();
    writer.append(&batch).unwrap();
    writer.finish().unwrap();
    let (history, _) = History::load(&path).unwrap();
    assert_eq!(history.ops.ops.len(), batch.ops.len());
    for (read, written) in history.ops.ops.iter().zip(&batch.ops) {
        assert_eq!(OpRecord { tokens_at: written.tokens_at, ..*read }, *written);
        assert_eq!(history.ops.tokens_of(read), batch.tokens_of(written));
    }
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.windows(4).filter(|w| *w == b"OPS ").count() > 1);
}

#[test]
fn cut_at_any_byte_it_yields_what_was_whole_before_the_cut() {
    let whole = written(true);
    let first_frame = frame::read(&whole, MAGIC.len()).unwrap().next;
    let (all, _) = parsed(&whole).unwrap();
    let mut last = 0;
    for cut in 0..whole.len() {
        match parsed(&whole[..cut]) {
            Ok((history, tail)) => {
                assert!(cut >= first_frame && history.ops.ops.len() >= last, "cut at {cut}");
                assert!(history.ops.ops.iter().all(|op| all.ops.ops.iter().any(|o| o.index == op.index)));
                match tail {
                    Tail::Cut { at, bytes } => assert_eq!(at + bytes, cut as u64),
                    tail => assert_eq!(tail, Tail::Unfinished),
                }
                last = history.ops.ops.len();
            }
            Err(error) => {
                assert!(cut < first_frame && matches!(error, HistoryError::NoHeader { .. }), "cut at {cut}: {error}");
            }
        }
    }
    assert_eq!(last, 4);
}

#[test]
fn a_tail_of_zeros_is_cut_off() {
    let mut bytes = written(false);
    let whole = bytes.len() as u64;
    bytes.extend([0; 4096]);
    let (history, tail) = parsed(&bytes).unwrap();
    assert_eq!(tail, Tail::Cut { at: whole, bytes: 4096 });
    assert_eq!(indices(&history), [0, 2, 1, 3]);
}

#[test]
fn damage_before_the_last_frame_names_its_place() {
    let whole = written(true);
    let note = frame::read(&whole, MAGIC.len()).unwrap().next;
    let ops = frame::read(&whole, note).unwrap().next;
    // In the length, so that the frame seems to extend beyond the file's end; in the body; in the tag.
    for byte in [ops + 7, ops + 13, ops] {
        let mut bytes = whole.clone();
        bytes[byte] ^= 0x40;
        match parsed(&bytes) {
            Err(HistoryError::Damaged { offset, .. }) => assert_eq!(offset, ops as u64),
            other => panic!("byte {byte}: {other:?}"),
        }
    }
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(sealed(Tag::Head, br#"{"version":6,"something":"new"}"#));
    let error = parsed(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the history history.fdh has format version 6, this firedrill reads up to 5: use a newer firedrill"
    );
}

#[test]
fn earlier_versions_are_read_as_before() {
    let now = written(true);
    let head = frame::read(&now, MAGIC.len()).unwrap();
    for version in [1, 2, 4] {
        let mut json: serde_json::Value = serde_json::from_slice(head.body).unwrap();
        json["version"] = version.into();
        for later in ["sessions_per_user", "counter"] {
            json.as_object_mut().unwrap().remove(later).unwrap();
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(sealed(Tag::Head, json.to_string().as_bytes()));
        bytes.extend(&now[head.next..]);
        let (history, tail) = parsed(&bytes).unwrap();
        assert_eq!((history.header.version, history.ops.ops.len(), tail), (version, 4, Tail::Complete));
        assert_eq!(history.header.user_of(7), 7);
    }
}

#[test]
fn what_is_no_history_is_called_so() {
    assert!(matches!(parsed(b"{\"version\":1}"), Err(HistoryError::NotAHistory { .. })));
    assert!(matches!(parsed(b""), Err(HistoryError::NoHeader { .. })));
    assert!(matches!(History::load(Path::new("/nonexistent/history.fdh")), Err(HistoryError::Io { .. })));
}

#[test]
fn an_end_that_counts_more_than_is_there_is_damage() {
    let mut bytes = written(false);
    let end = bytes.len() as u64;
    bytes.extend(sealed(Tag::End, br#"{"ops":5,"notes":2}"#));
    assert!(matches!(parsed(&bytes), Err(HistoryError::Damaged { offset, .. }) if offset == end));
}

#[test]
fn nothing_may_follow_the_end() {
    let mut bytes = written(true);
    let end = bytes.len() as u64;
    bytes.push(0);
    assert!(matches!(parsed(&bytes), Err(HistoryError::Damaged { offset, .. }) if offset == end));
}

fn sealed(tag: Tag, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::begin(&mut bytes);
    bytes.extend_from_slice(body);
    frame::seal(&mut bytes, tag).unwrap();
    bytes
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parsed(&bytes);
    }

    #[test]
    fn arbitrary_bodies_under_a_right_checksum_never_panic(
        bodies in proptest::collection::vec((0..4usize, proptest::collection::vec(any::<u8>(), 0..200)), 0..5)
    ) {
        let mut bytes = written(false);
        for (tag, body) in bodies {
            bytes.extend(sealed([Tag::Head, Tag::Ops, Tag::Note, Tag::End][tag], &body));
        }
        let _ = parsed(&bytes);
    }

    #[test]
    fn a_damaged_byte_is_never_taken_for_data(at in 0..600usize, flip in 1..=255u8) {
        let whole = written(true);
        let at = at % whole.len();
        let mut bytes = whole.clone();
        bytes[at] ^= flip;
        if let Ok((history, tail)) = parsed(&bytes) {
            let (all, _) = parsed(&whole).unwrap();
            let cut = matches!(tail, Tail::Cut { .. });
            prop_assert!(cut, "{:?}", tail);
            prop_assert!(history.ops.ops.iter().all(|op| all.ops.ops.contains(op)));
            prop_assert_eq!(history.header, all.header);
        }
    }
}
