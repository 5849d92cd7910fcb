//! `summary.md`: the invocation as Markdown, for the page of a pipeline's run. GitHub shows what a step appends to the file
//! named by `GITHUB_STEP_SUMMARY`, up to 1 MiB a step, and drops all of it above that
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary>).

use super::drilled::{Drilled, Invocation};
use super::finding::{Answer, Finding};
use super::markdown::{block, escaped, short};
use crate::describe::{self, valid};
use crate::text;

/// The file's name.
pub const FILE: &str = "summary.md";

/// The most that all steps' summaries may take in one file, in bytes.
pub const WHOLE: usize = 1 << 20;

/// The least room for a summary that names a drill, in bytes.
pub const LEAST: usize = 4 << 10;

/// The most that a drill takes besides its row, in bytes.
const SECTION: usize = 64 << 10;

/// The most of a reason in a row, in bytes.
const ROW_REASON: usize = 300;

/// The most of any other line, in bytes.
const LINE: usize = 2 << 10;

/// Kept free for the lines that say what was left out, in bytes.
const REMARK: usize = 200;

/// Renders `invocation` in at most `room` bytes, at least [`LEAST`]. Rows that passed go first where there is no room, then
/// the details of the last drills.
pub fn render(invocation: &Invocation, room: usize) -> String {
    let (passed, rest): (Vec<&Drilled>, Vec<&Drilled>) = invocation.drills.iter().partition(|drilled| drilled.passed());
    let mut page = Page::new(room.min(WHOLE));
    page.text.push_str(&heading(invocation, rest.len()));
    if invocation.drills.is_empty() {
        return page.text;
    }
    page.text.push_str("| | drill | gates | checks | recovery | |\n|---|---|---|---|---|---|\n");
    let limit = page.limit;
    // What did not pass comes first, and leaves half of the page to its details.
    page.limit = if rest.is_empty() { limit } else { limit / 2 };
    let ordered: Vec<&&Drilled> = rest.iter().chain(&passed).collect();
    page.list(ordered.into_iter().map(|drilled| row(drilled)), "drill");
    page.limit = limit;
    page.list(rest.iter().map(|drilled| section(invocation, drilled)), "drill that did not pass");
    page.text
}

/// A text that grows up to a limit.
struct Page {
    text: String,
    limit: usize,
}

impl Page {
    fn new(limit: usize) -> Self {
        Self { text: String::new(), limit }
    }

    /// Adds `part` if it fits.
    fn add(&mut self, part: &str) -> bool {
        let fits = self.text.len() + part.len() + REMARK <= self.limit;
        if fits {
            self.text.push_str(part);
        }
        fits
    }

    /// Adds the parts up to the first that does not fit, and says how many are left.
    fn list(&mut self, parts: impl ExactSizeIterator<Item = String>, noun: &str) {
        let all = parts.len();
        let shown = parts.take_while(|part| self.add(part)).count();
        if shown < all {
            let noun = match noun.split_once(' ') {
                Some((drill, rest)) if all - shown > 1 => format!("{drill}s {rest}"),
                None if all - shown > 1 => format!("{noun}s"),
                _ => noun.to_owned(),
            };
            let remark =
                format!("\n{} more {noun}: see `summary.json` and `index.html`.\n", text::count((all - shown) as u64));
            self.text.push_str(&remark);
        }
    }
}

fn heading(invocation: &Invocation, failed: usize) -> String {
    let all = invocation.drills.len() as u64;
    let drills = text::counted(all, "drill");
    let says = match failed as u64 {
        _ if all == 0 => "no drill ran".to_owned(),
        0 => format!("{drills} passed"),
        failed => format!("{} of {drills} did not pass", text::count(failed)),
    };
    format!("## Firedrill: {says}\n\n")
}

fn sign(answer: Answer) -> &'static str {
    match answer {
        Answer::Held => "✅",
        Answer::Broken => "❌",
        Answer::Unclear => "❔",
        Answer::Reported => "ℹ️",
    }
}

fn row(drilled: &Drilled) -> String {
    let (gates, checks, recovery) = match drilled.run() {
        Some(run) => {
            let ((held, gates), checks) = (describe::gates_held(run), describe::checks(run));
            let recovery = run.recovery_ms.map(text::millis).unwrap_or_default();
            (format!("{held}/{gates}"), valid(&checks), recovery)
        }
        None => Default::default(),
    };
    let reason = drilled.reasons().first().map(|reason| short(reason, ROW_REASON)).unwrap_or_default();
    let (sign, word, name) = (sign(drilled.answer()), drilled.word(), short(&drilled.scenario, ROW_REASON));
    format!("| {sign} {word} | {name} | {gates} | {checks} | {recovery} | {reason} |\n")
}

/// A drill that did not pass: the most important first, because what does not fit is cut at the end.
fn section(invocation: &Invocation, drilled: &Drilled) -> String {
    let mut page = Page::new(SECTION);
    page.add(&format!("\n### {} {}: {}\n\n", sign(drilled.answer()), escaped(&drilled.scenario), drilled.word()));
    page.list(drilled.reasons().into_iter().map(|reason| format!("- {}\n", short(reason, LINE))), "reason");
    if let (Some(run), Some(report)) = (drilled.run(), drilled.report()) {
        let report = escaped(&invocation.out.join(report).display().to_string());
        page.add(&format!("\nReport: {report}. To run it again:\n\n{}", block("sh", &run.replay, LINE)));
    }
    let against: Vec<Finding> = drilled.findings().into_iter().filter(Finding::counts_against).collect();
    let limits: Vec<String> = against.iter().filter_map(limit).collect();
    if !limits.is_empty() {
        page.add("\n| | | limit | measured |\n|---|---|---|---|\n");
        page.list(limits.into_iter(), "limit");
    }
    for finding in against.iter().filter(|finding| finding.limit.is_none()) {
        page.add(&format!("\n{} **{}**: {}\n", sign(finding.answer), escaped(&finding.id), short(&finding.says, LINE)));
        if !finding.details.is_empty() {
            page.add(&format!("\n{}", block("", &finding.details.join("\n"), SECTION / 4)));
        }
    }
    page.text
}

/// The row of a finding with a limit.
fn limit(finding: &Finding) -> Option<String> {
    let (limit, measured) = finding.limit.as_ref()?;
    let (sign, id) = (sign(finding.answer), short(&finding.id, ROW_REASON));
    Some(format!("| {sign} | {id} | {} | {} |\n", short(limit, ROW_REASON), short(measured, ROW_REASON)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{check, failed, invocation, judged, not_run, passed};
    use super::*;
    use crate::run::CheckVerdict;

    #[test]
    fn the_table_comes_first_and_a_drill_that_passed_is_one_line_of_it() {
        let drills = vec![judged(passed("calm")), judged(failed("redis-outage")), not_run("ttl")];
        let expected = r#"## Firedrill: 2 of 3 drills did not pass

| | drill | gates | checks | recovery | |
|---|---|---|---|---|---|
| ❌ failed | redis-outage | 0/1 | 0/1 | 250 ms | check lost-writes: 2 of 40 writes are gone |
| ❔ not run | ttl |  |  |  | no redis-server on the PATH |
| ✅ passed | calm | 1/1 | 1/1 | 250 ms |  |

### ❌ redis-outage: failed

- check lost-writes: 2 of 40 writes are gone
- gate during.errors: 5 % is not \<= 1%

Report: runs/today/redis-outage/report.html. To run it again:

```sh
firedrill run redis-outage --seed 7
```

| | | limit | measured |
|---|---|---|---|
| ❌ | gate during.errors | \<= 1% | 5 % |

❌ **check lost-writes**: invalid: 2 of 40 writes are gone

```
session 1, at 1.50 s, op 1: write 1 is gone
session 2, at 1.50 s, op 2: write 2 is gone
```

### ❔ ttl: not run

- no redis-server on the PATH
"#;
        assert_eq!(render(&invocation(drills), WHOLE), expected);
    }

    #[test]
    fn without_a_failure_there_is_only_the_table() {
        let page = render(&invocation(vec![judged(passed("calm"))]), WHOLE);
        assert!(page.starts_with("## Firedrill: 1 drill passed\n\n"), "{page}");
        assert_eq!(page.lines().count(), 5, "{page}");
    }

    #[test]
    fn a_drill_takes_no_more_than_64_kib() {
        let mut run = failed("x");
        run.checks = (0..30).map(|n| check(&format!("c{n}"), CheckVerdict::Invalid, 25)).collect();
        for sample in run.checks.iter_mut().flat_map(|check| &mut check.samples) {
            sample.text = "a long answer ".repeat(500);
        }
        run.reasons = vec!["| a long reason ".repeat(9000); 90];
        let page = render(&invocation(vec![judged(run)]), WHOLE);
        assert!(page.len() <= SECTION + LINE, "{} bytes", page.len());
        assert!(page.contains("more reasons"), "{page}");
    }

    #[test]
    fn a_thousand_drills_stay_below_github_s_limit_and_those_that_failed_come_first() {
        let mut run = failed("a-scenario-with-a-rather-long-name");
        run.reasons = vec!["a long reason ".repeat(90); 90];
        let mut drills = vec![judged(passed("calm")); 500];
        drills.extend(vec![judged(run); 500]);
        let page = render(&invocation(drills.clone()), WHOLE);
        assert!(page.len() <= WHOLE, "{} bytes", page.len());
        assert_eq!(page.matches("| ❌ failed |").count(), 500);
        assert_eq!(page.matches("| ✅ passed |").count(), 500);
        assert!(
            page.trim_end().ends_with("did not pass: see `summary.json` and `index.html`."),
            "says what is left out"
        );

        for room in [LEAST, 10_000, 100_000] {
            let page = render(&invocation(drills.clone()), room);
            assert!(page.len() <= room && page.contains("| ❌ failed |"), "{} of {room}", page.len());
        }
    }
}
