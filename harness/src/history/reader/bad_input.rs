//! What the reader makes of anything at all in place of a history, and of every history that another tool wrote.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::*;
use crate::check::{self, Budget, check_all};
use crate::history::frame::{self, FRAME_HEAD};
use crate::history::testing;
use crate::history::{FORMAT_VERSION, HistoryWriter, MAGIC, Notation, Telling, export};

const ROOM: u64 = 16 << 20;

fn parsed(bytes: &[u8]) -> Result<(History, Tail), HistoryError> {
    let mut frames = Frames::of(Path::new("history.fdh"), bytes, bytes.len() as u64)?;
    let header = frames.header()?;
    let (mut ops, mut notes, tail) = contents(&mut frames, ROOM, |_| true)?;
    ops.ops.sort_by_key(|op| (op.started, op.index));
    notes.sort_by_key(Note::at);
    Ok((History { header, ops, notes }, tail))
}

/// Each operation with what it found, wherever that lies in memory.
fn told(history: &History) -> Vec<(OpRecord, &[Token])> {
    history.ops.ops.iter().map(|op| (OpRecord { tokens_at: 0, ..*op }, history.ops.tokens_of(op))).collect()
}

/// The bytes with checksums that match, so that what they enclose is looked at.
fn resealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = MAGIC.len();
    while let Some(length) = bytes.get(at..at + FRAME_HEAD).and_then(frame::body_length) {
        let end = (at as u64).saturating_add(FRAME_HEAD as u64).saturating_add(length).min(bytes.len() as u64) as usize;
        // Also where the frame is said to be longer than what there is.
        let length = ((end - at - FRAME_HEAD) as u32).to_le_bytes();
        bytes[at + 4..at + 8].copy_from_slice(&length);
        let checksum = frame::checksum(&bytes[at..end]).to_le_bytes();
        bytes[at + 8..at + FRAME_HEAD].copy_from_slice(&checksum);
        at = end;
    }
    bytes
}

/// The history as the writer writes it, without its end: that would wait for the disk.
fn rewritten(history: &History) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.fdh");
    let mut writer = HistoryWriter::create(&path, &history.header).unwrap();
    writer.append(&history.ops).unwrap();
    history.notes.iter().for_each(|note| writer.note(note).unwrap());
    std::fs::read(&path).unwrap()
}

/// What was read of a damaged history can be judged and exported.
fn is_usable(history: &History) {
    for op in &history.ops.ops {
        assert_eq!(history.ops.tokens_of(op).len(), op.tokens_len as usize);
    }
    for notation in [Notation::JepsenEdn, Notation::JepsenJson, Notation::Porcupine] {
        let mut out = Vec::new();
        export(history, Telling::Sessions, notation, &mut out).unwrap();
        export(history, Telling::ListAppend, notation, &mut out).unwrap();
    }
    let budget = Budget { threads: 1, ..Budget::default() };
    for (name, finding) in check_all(history, check::all(), &budget) {
        assert!(!finding.summary.contains("panicked"), "{name}: {}", finding.summary);
    }
}

/// A history is refused with a reason, or read as it was written; and damage to it never goes unnoticed.
fn judge(bytes: &[u8]) {
    let history = match parsed(bytes) {
        Ok((history, _)) => history,
        Err(error) => return assert!(error.to_string().contains("history.fdh"), "{error}"),
    };
    is_usable(&history);
    let (again, _) = parsed(&rewritten(&history)).unwrap();
    assert_eq!(again.header, Header { version: FORMAT_VERSION, ..history.header.clone() });
    assert_eq!(told(&again), told(&history));
    assert_eq!(again.notes, history.notes);

    let mut hash = DefaultHasher::new();
    bytes.hash(&mut hash);
    let mut place = hash.finish();
    for number in 0..6 {
        place = place.rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let at = (place % bytes.len() as u64) as usize;
        let mut damaged = bytes.to_vec();
        if number % 3 == 0 {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << (place >> 61);
        }
        let Ok((less, end)) = parsed(&damaged) else { continue };
        assert_ne!(end, Tail::Complete, "damage at byte {at} goes unnoticed");
        assert_eq!(less.header, history.header);
        let all = told(&history);
        assert!(told(&less).iter().all(|op| all.contains(op)), "an operation is another one after damage at byte {at}");
        assert!(less.notes.iter().all(|note| history.notes.contains(note)), "a note is another one, by byte {at}");
    }
}

#[test]
fn any_file_is_refused_with_a_reason_or_read_as_it_was_written_and_damage_never_goes_unnoticed() {
    let words =
        ["HEAD", "OPS ", "NOTE", "END ", "\u{7f}", "\"version\":5", "\"event\":\"", "\"at\":", "\"instance\":1"];
    firedrill_fuzz::fuzz("history", &words, |bytes| {
        judge(bytes);
        judge(&resealed(bytes));
    });
}

#[test]
fn what_another_tool_wrote_is_refused_with_a_reason_or_exported_such_that_it_is_read_the_same() {
    const WORDS: [&str; 12] = [
        "\"type\":\"invoke\"",
        "\"type\":\"info\"",
        "\"f\":\"award\"",
        "\"f\":\"txn\"",
        "[[\"r\",7,null]]",
        "\"cause\":\"fallback\"",
        "\"presence\":\"absent\"",
        "\"step\":\"final\"",
        "\"operation\":0",
        "\"user\":1",
        "null",
        "[[[[[[[[[[[[[[[[",
    ];
    let header = testing::header(10_000_000_000);
    firedrill_fuzz::fuzz("jepsen", &WORDS, |text| {
        let import = |text: &[u8]| import::import(Path::new("history.json"), text, header.clone());
        match import(text) {
            Ok(history) => {
                is_usable(&history);
                let exported = |history: &History| {
                    let mut out = Vec::new();
                    export(history, Telling::Sessions, Notation::JepsenJson, &mut out).unwrap();
                    out
                };
                let once = exported(&history);
                let again = import(&once).unwrap_or_else(|error| panic!("{error}: {}", once.escape_ascii()));
                assert_eq!(told(&again), told(&history));
            }
            Err(error) => assert!(error.to_string().contains("history.json"), "{error}"),
        }
    });
}
