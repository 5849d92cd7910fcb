//! `firedrill selftest`, with one defect at one seed.

use std::path::Path;
use std::process::Output;

use crate::support::{firedrill, room_for_one};

fn selftest(arguments: &[&str], out: (&str, &Path)) -> Output {
    firedrill().arg("selftest").args(arguments).arg(out.0).arg(out.1).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_defect_is_caught_the_sound_store_passes_and_what_is_done_is_not_done_again() {
    let _held = room_for_one();
    let dir = tempfile::tempdir().unwrap();
    let only = ["--defect", "list-repeats"];
    let first = selftest(&[&only[..], &["--seeds", "1"]].concat(), ("--out", dir.path()));
    let (stdout, stderr) = (text(&first.stdout), text(&first.stderr));
    assert_eq!(first.status.code(), Some(0), "{stdout}\n{stderr}");
    let rows: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let (caught, sound) =
        (["list-repeats", "listings", "1", "of", "1", "checks.user-index"], ["sound", "listings", "1", "of", "1"]);
    assert_eq!(rows, [&caught[..], &sound[..]], "{stdout}");
    assert!(stderr.contains("seeds   1\n2 drills to run, 0 done"), "{stderr}");

    let again = selftest(&only, ("--resume", dir.path()));
    assert_eq!(text(&again.stdout), stdout);
    assert!(text(&again.stderr).contains("0 drills to run, 2 done"), "{}", text(&again.stderr));
}

#[test]
fn an_unknown_defect_is_refused_with_those_that_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let refused = selftest(&["--defect", "nothing"], ("--out", dir.path()));
    let stderr = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("error: there is no defect `nothing`: there are forgets-ttl, "), "{stderr}");
}
