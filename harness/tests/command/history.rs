//! `firedrill check`, `firedrill history` and `firedrill export` on handwritten histories, without a drill.

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
        counter: false,
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

#[test]
fn history_shows_the_operations_behind_an_offence_and_marks_them() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), &[], true);
    let run = folder.path().to_str().unwrap();
    let (status, stdout, stderr) = output(&["history", run, "--session", "7", "--around", "0s", "--operations", "1"]);
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "3 operations of by-hand, seed 1; complete");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{stdout}");
    assert!(lines.iter().any(|line| line.starts_with('>') && line.contains(" append ")), "{stdout}");
    assert!(lines.iter().any(|line| line.ends_with("0 items, not 1")), "{stdout}");
    assert!(stdout.contains("key-scan, keys 1"), "the events between: {stdout}");
}

#[test]
fn history_prints_a_json_object_per_operation_that_passes_the_filters() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &[2], true);
    let lines = |filters: &[&str]| -> Vec<serde_json::Value> {
        let (status, stdout, stderr) = output(&[&["history", path.to_str().unwrap(), "--json"], filters].concat());
        assert_eq!((status, stderr.as_str()), (0, ""));
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(lines(&[]).len(), 3);
    assert_eq!(
        lines(&["--op", "read"]),
        [serde_json::json!({
            "index": 2, "kind": "read", "session": 7, "process": 1, "step": "final", "planned": 20, "started": 20,
            "ended": 21, "outcome": "ok", "presence": "present", "tokens": [2],
        })]
    );
    assert_eq!(lines(&["--outcome", "unknown"]).len(), 0);
    assert_eq!(lines(&["--session", "8"]).len(), 0);
    assert_eq!(lines(&["--around", "5s"]).len(), 0);
    assert_eq!(lines(&["--around", "500ms"]).len(), 3, "within a second");
    assert_eq!(lines(&["--around", "-1s"]).len(), 1, "the first one begins a second later");
    assert_eq!(lines(&["--around", "500ms", "--within", "1ms"]).len(), 0);
    assert_eq!(lines(&["--operations", "0,2"]).len(), 2);
    for wrong in [&["--op", "reed"][..], &["--outcome", "lost"], &["--around", "soon"], &["--within", "1s"]] {
        assert_eq!(output(&[&["history", path.to_str().unwrap()], wrong].concat()).0, 2, "{wrong:?}");
    }
}

#[test]
fn history_of_a_killed_drill_goes_as_far_as_it_goes_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &[2], false);
    let (status, stdout, _) = output(&["history", path.to_str().unwrap()]);
    assert_eq!(status, 0, "{stdout}");
    assert!(stdout.starts_with("3 operations of by-hand, seed 1; not complete: the drill died"), "{stdout}");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    let (status, stdout, stderr) = output(&["history", path.to_str().unwrap(), "--json"]);
    assert_eq!((status, stdout.lines().count()), (0, 3));
    assert!(stderr.starts_with("warning: the history is not complete: the drill died, and "), "{stderr}");
    let (status, _, stderr) = output(&["history", folder.path().join("nowhere").to_str().unwrap()]);
    assert_eq!(status, 2, "{stderr}");
}

#[test]
fn history_without_a_match_says_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &[2], true);
    let (status, stdout, _) = output(&["history", path.to_str().unwrap(), "--session", "70"]);
    assert_eq!(status, 0, "{stdout}");
    assert!(stdout.contains("0 of 3 operations of by-hand"), "{stdout}");
    assert!(stdout.contains("It has sessions 7 to 7, and times from 0.00 s to 0.00 s."), "{stdout}");
}
