//! The runs below a folder, for people.

use super::Style;
use super::paint::{Marked, Tone, printable};
use crate::library::{Entry, Library};
use crate::run::Verdict;
use crate::text;

/// Each run with its folder and, unless it passed, the first reason; then what cannot be read; then a line that counts. Ends
/// in a line break.
pub fn runs(runs: &[&Entry], library: &Library, style: Style) -> String {
    let mut page = String::new();
    let widest = runs.iter().map(|run| printable(&run.scenario).chars().count()).max().unwrap_or(0);
    for run in runs {
        let (sign, tone) = run.verdict.mark();
        let verdict = style.paint(&format!("{sign} {:12}", run.verdict.name()), tone);
        let scenario = style.paint(&format!("{:widest$}", printable(&run.scenario)), Tone::Strong);
        page.push_str(&format!("{verdict}  {scenario}  {}  seed {}\n", when(&run.started_at), run.seed));
        page.push_str(&format!("  {}\n", printable(&run.path.display().to_string())));
        if let Some(reason) = run.reasons.first() {
            page.push_str(&format!("  {}\n", style.paint(&cut(&printable(reason), style, 2), Tone::Quiet)));
        }
    }
    for folder in &library.unreadable {
        let what = style.paint("? not readable", Tone::Doubtful);
        page.push_str(&format!("{what}  {}\n", printable(&folder.path.display().to_string())));
        page.push_str(&format!("  {}\n", printable(&folder.reason)));
    }
    page.push_str(&tally(runs, library));
    page.push('\n');
    page
}

/// How many runs there are of each verdict, and how many folders have none.
fn tally(runs: &[&Entry], library: &Library) -> String {
    let count = |verdict: Verdict| runs.iter().filter(|run| run.verdict == verdict).count() as u64;
    let of_each = [Verdict::Passed, Verdict::Failed, Verdict::Inconclusive, Verdict::Interrupted];
    let of_each = of_each.into_iter().filter(|verdict| count(*verdict) > 0);
    let of_each: Vec<String> = of_each.map(|verdict| format!("{} {}", count(verdict), verdict.name())).collect();
    let mut parts = vec![match of_each.is_empty() {
        true => "no run".to_owned(),
        false => format!("{}: {}", text::counted(runs.len() as u64, "run"), of_each.join(", ")),
    }];
    let hidden = library.runs.len() - runs.len();
    let more = [
        (hidden as u64, "run", "left out by the filters"),
        (library.unreadable.len() as u64, "folder", "not readable"),
        (library.others, "folder", "without a run"),
    ];
    let more = more.into_iter().filter(|(count, ..)| *count > 0);
    parts.extend(more.map(|(count, noun, says)| format!("{} {says}", text::counted(count, noun))));
    parts.join("; ")
}

/// A time to the second, in UTC.
fn when(started_at: &str) -> String {
    match started_at.get(..19) {
        Some(second) => format!("{}Z", second.replace('T', " ")),
        None => "at an unknown time".to_owned(),
    }
}

/// `text`, indented by `indent` columns, on one line.
fn cut(text: &str, style: Style, indent: usize) -> String {
    let room = usize::from(style.columns()).saturating_sub(indent);
    match text.chars().count() > room {
        true => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Unreadable;

    fn entry(folder: &str, verdict: Verdict, reasons: &[&str]) -> Entry {
        Entry {
            path: folder.into(),
            scenario: "redis-outage".to_owned(),
            verdict,
            seed: 7,
            started_at: "2026-11-29T22:24:33.123Z".to_owned(),
            load_seconds: 20.0,
            reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
            firedrill_version: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn a_run_has_its_verdict_its_folder_and_its_first_reason() {
        let reason = "3 of 3 120 acknowledged writes are missing from the final reads of their sessions, and more";
        let failed = entry("runs/a/redis-outage", Verdict::Failed, &[reason, "another"]);
        let passed = entry("runs/b/redis-outage", Verdict::Passed, &[]);
        let unreadable = Unreadable { path: "runs/c".into(), reason: "it has no run.json".to_owned() };
        let library = Library { runs: vec![passed.clone(), failed, passed], unreadable: vec![unreadable], others: 2 };
        let shown: Vec<&Entry> = library.runs.iter().take(2).collect();
        let page = runs(&shown, &library, Style { colour: false, width: 80 });
        let expected = "\
✓ passed        redis-outage  2026-11-29 22:24:33Z  seed 7
  runs/b/redis-outage
✗ failed        redis-outage  2026-11-29 22:24:33Z  seed 7
  runs/a/redis-outage
  3 of 3 120 acknowledged writes are missing from the final reads of their sess…
? not readable  runs/c
  it has no run.json
2 runs: 1 passed, 1 failed; 1 run left out by the filters; 1 folder not readable; 2 folders without a run
";
        assert_eq!(page, expected);
    }
}
