//! `firedrill check` and `firedrill export` on handwritten histories, without a drill.

use std::path::{Path, PathBuf};

use firedrill::history::{
    Cause, FORMAT_VERSION, Header, HistoryWriter, Note, OpBatch, OpKind, OpRecord, Outcome, Presence, Step,
};

use crate::support::firedrill;

fn op(index: u64, kind: OpKind, at: i64) -> OpRecord {
    OpRecord {
        index,
        planned: at,
        started: at,
        ended: at + 1,
        version: 0,
        session: 7,
        process: 1,
        owner: OpRecord::NO_OWNER,
        tokens_at: 0,
        tokens_len: 0,
        kind,
        step: Step::Load,
        outcome: Outcome::Ok,
        presence: if kind == OpKind::Create { Presence::Unsaid } else { Presence::Present },
        cause: Cause::None,
    }
}

/// Writes a history with a session that is created, appended to, and finally read, showing `shown`.
fn written(dir: &Path, shown: &[u64], finished: bool) -> PathBuf {
    let header = Header {
        version: FORMAT_VERSION,
        scenario: "by-hand".to_owned(),
        seed: 1,
        ttl_ns: 60_000_000_000,
        ttl_slack_ns: 0,
        sliding: true,
        sessions_per_user: std::num::NonZeroU32::MIN,
        instances: std::num::NonZeroU32::MIN,
        epoch_ms: 0,
    };
    let path = dir.join("history.fdh");
    let mut writer = HistoryWriter::create(&path, &header).unwrap();
    let last = OpRecord { step: Step::Final, tokens_len: shown.len() as u32, ..op(2, OpKind::Read, 20) };
    let ops = vec![op(0, OpKind::Create, 0), op(1, OpKind::Append, 10), last];
    writer.append(&OpBatch { ops, tokens: shown.to_vec() }).unwrap();
    writer.note(&Note::KeyScan { at: 30, keys: 1, immortal: Vec::new(), immortal_count: 0 }).unwrap();
    if finished {
        writer.finish().unwrap();
    }
    path
}

fn output(arguments: &[&str]) -> (i32, String, String) {
    let output = firedrill().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_exits_0_for_a_sound_history_and_1_for_one_with_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let sound = written(folder.path(), &[2], true);
    // The folder of a run stands for its history.
    let (status, stdout, stderr) = output(&["check", folder.path().to_str().unwrap()]);
    assert_eq!(status, 0, "{stdout}{stderr}");
    assert!(stdout.starts_with("3 operations of by-hand, seed 1; complete\n"), "{stdout}");
    std::fs::remove_file(&sound).unwrap();
    let lost = written(folder.path(), &[], true);
    let (status, stdout, _) = output(&["check", lost.to_str().unwrap()]);
    assert_eq!(status, 1, "{stdout}");
    assert!(
        stdout.contains("append 1 was acknowledged (ok) at 0.000 s and is missing from the final read"),
        "{stdout}"
    );
    assert_eq!(output(&["check", lost.to_str().unwrap(), "--checker", "isolation"]).0, 3, "nothing to examine");
    assert_eq!(output(&["check", lost.to_str().unwrap(), "--checker", "no-such"]).0, 2);
    assert_eq!(output(&["check", "no-such-file"]).0, 2);
}

#[test]
fn the_best_that_check_says_of_a_killed_drill_is_that_it_cannot_tell() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &[2], false);
    let (status, stdout, _) = output(&["check", path.to_str().unwrap()]);
    assert_eq!(status, 3, "{stdout}");
    assert!(stdout.contains("not complete: the drill died before it ended"), "{stdout}");
    assert!(stdout.contains("2 acknowledged writes in the final reads, as far as the history goes"), "{stdout}");
    // Also if it is torn within its last frame.
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let (status, stdout, _) = output(&["check", path.to_str().unwrap()]);
    assert_eq!(status, 3, "{stdout}");
    assert!(stdout.contains("at the end are torn"), "{stdout}");
}

#[test]
fn an_export_for_jepsen_is_judged_like_the_history_itself() {
    let folder = tempfile::tempdir().unwrap();
    let lost = written(folder.path(), &[], true);
    let json = folder.path().join("history.json");
    let (from, to) = (lost.to_str().unwrap(), json.to_str().unwrap());
    assert_eq!(output(&["export", from, "--format", "jepsen-json", "--out", to]).0, 0);
    let (status, stdout, _) = output(&["check", to, "--ttl", "60s", "--checker", "lost-writes"]);
    assert_eq!(status, 1, "{stdout}");
    assert!(stdout.contains("append 1 was acknowledged (ok)"), "{stdout}");
    let (status, edn, _) = output(&["export", from, "--format", "jepsen-edn"]);
    assert_eq!((status, edn.lines().count()), (0, 6));
    let (status, log, _) = output(&["export", from, "--format", "porcupine"]);
    assert_eq!((status, log.lines().count()), (0, 4));
}
