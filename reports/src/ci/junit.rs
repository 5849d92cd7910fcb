//! `junit.xml`: the format that test runners and Jenkins agree on, written by `quick-junit`
//! (<https://github.com/testmoapp/junitxml>; GitLab's limits: <https://docs.gitlab.com/ci/testing/unit_test_reports/>).
//! A suite is a scenario; a case is a gate, a check, a fault's bite, the generator, or the verdict as a whole.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::drilled::{Drilled, Invocation};
use super::finding::{Answer, Finding};
use super::plain;

/// The file's name.
pub const FILE: &str = "junit.xml";

/// The case of the drill as a whole. It fails with the reasons, some of which no other case has, such as a signal.
const VERDICT: &str = "verdict";

/// The most failure text of a case, in bytes.
const TEXT: usize = 64 << 10;

/// The most that a failure's message takes, in bytes: viewers show it in one line.
const MESSAGE: usize = 1 << 10;

/// The most text of all cases that did not pass, in bytes. GitLab refuses files of 30 MB; the rest is for the cases'
/// names.
const ALL_TEXT: usize = 16_000_000;

/// Renders the drills of `invocation`.
///
/// # Errors
/// [`SerializeError`] if XML cannot be written, which no input is known to cause.
pub fn render(invocation: &Invocation) -> Result<String, SerializeError> {
    let mut report = Report::new("firedrill");
    let drills: Vec<(&Drilled, Vec<Finding>)> =
        invocation.drills.iter().map(|drilled| (drilled, drilled.findings())).collect();
    let told: usize = drills.iter().map(|(_, findings)| 1 + findings.iter().filter(|one| tells(one)).count()).sum();
    let share = Share { bytes: ALL_TEXT / told.max(1) };
    let seconds = drills.iter().filter_map(|(drilled, _)| seconds(drilled)).sum();
    report.set_time(seconds);
    report.add_test_suites(drills.iter().map(|(drilled, findings)| suite(invocation, drilled, findings, share)));
    report.to_string()
}

/// Whether the case of `finding` has text.
fn tells(finding: &Finding) -> bool {
    finding.answer != Answer::Held
}

/// How much of the file's text a case gets.
#[derive(Debug, Clone, Copy)]
struct Share {
    bytes: usize,
}

impl Share {
    fn message(self, text: &str) -> String {
        plain::line(&plain::cut(text, MESSAGE.min(self.bytes / 2), written))
    }

    /// The lines up to the first that does not fit: a checker may have found megabytes.
    fn text<'a>(self, lines: impl IntoIterator<Item = &'a str>) -> String {
        let limit = TEXT.min(self.bytes / 2);
        let mut text = String::new();
        for line in lines {
            if text.len() > limit {
                break;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
        }
        plain::printable(&plain::cut(&text, limit, written))
    }
}

/// The bytes that a letter takes in XML, where some are written as `&quot;`.
fn written(letter: char) -> usize {
    match letter {
        '"' | '\'' => 6,
        '&' => 5,
        '<' | '>' => 4,
        _ => letter.len_utf8(),
    }
}

fn suite(invocation: &Invocation, drilled: &Drilled, findings: &[Finding], share: Share) -> TestSuite {
    let mut suite = TestSuite::new(plain::line(&drilled.scenario));
    let class = format!("firedrill.{}", plain::line(&drilled.scenario));
    let case = |name: &str, status| {
        let mut case = TestCase::new(plain::line(name), status);
        case.set_classname(class.as_str());
        if let Some(file) = &drilled.file {
            case.extra.insert(XmlString::new("file"), XmlString::new(plain::line(file)));
        }
        case
    };
    // The first case has the time of the drill: cases run at once, and readers add the times up.
    let mut whole = case(VERDICT, verdict(drilled, share));
    if let Some(seconds) = seconds(drilled) {
        whole.set_time(seconds);
        suite.set_time(seconds);
    }
    if let Some(run) = drilled.run() {
        suite.extra.insert(XmlString::new("timestamp"), XmlString::new(&run.started_at));
        suite.add_property(Property::new("seed", run.seed.to_string()));
        let report = drilled.report().map(|report| invocation.out.join(report).display().to_string());
        let told = format!("replay: {}\nreport: {}", run.replay, report.unwrap_or_default());
        whole.set_system_out(share.text([told.as_str()]));
    }
    suite.add_test_case(whole);
    suite.add_test_cases(findings.iter().map(|finding| case(&finding.id, status(finding, share))));
    suite
}

fn seconds(drilled: &Drilled) -> Option<Duration> {
    Duration::try_from_secs_f64(drilled.run()?.load_seconds).ok()
}

fn verdict(drilled: &Drilled, share: Share) -> TestCaseStatus {
    with_text(drilled.answer(), drilled.word(), &drilled.headline(), drilled.reasons(), share)
}

fn status(finding: &Finding, share: Share) -> TestCaseStatus {
    with_text(finding.answer, finding.what.name(), &finding.says, finding.details.iter().map(String::as_str), share)
}

fn with_text<'a>(
    answer: Answer,
    kind: &str,
    says: &'a str,
    details: impl IntoIterator<Item = &'a str>,
    share: Share,
) -> TestCaseStatus {
    let mut status = match answer {
        Answer::Held => return TestCaseStatus::success(),
        Answer::Broken => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Answer::Unclear => TestCaseStatus::non_success(NonSuccessKind::Error),
        Answer::Reported => TestCaseStatus::skipped(),
    };
    status.set_message(share.message(says)).set_type(kind);
    if answer != Answer::Reported {
        // Viewers such as GitLab's show the text alone. The reasons of a verdict begin with what it says.
        let more = details.into_iter().filter(|line| *line != says);
        status.set_description(share.text(std::iter::once(says).chain(more)));
    }
    status
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{check, failed, invocation, judged, not_run, passed};
    use super::*;
    use crate::run::{CheckVerdict, Run};

    /// The case of this id in the only suite.
    fn case(run: Run, id: &str) -> TestCase {
        let xml = render(&invocation(vec![judged(run)])).unwrap();
        let report = Report::deserialize_from_str(&xml).unwrap();
        let found = report.test_suites[0].test_cases.iter().find(|case| case.name.as_str() == id);
        found.unwrap_or_else(|| panic!("no case {id}:\n{xml}")).clone()
    }

    #[test]
    fn a_drill_that_passed_is_a_suite_of_passed_cases() {
        let mut drilled = judged(passed("redis-outage"));
        drilled.file = Some("drills/outage.toml".to_owned());
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="firedrill" tests="6" skipped="0" failures="0" errors="0" time="12.500">
    <testsuite name="redis-outage" tests="6" skipped="0" errors="0" failures="0" time="12.500" timestamp="2026-01-02T03:04:05.678Z">
        <properties>
            <property name="seed" value="18446744073709551615"/>
        </properties>
        <testcase name="verdict" classname="firedrill.redis-outage" time="12.500" file="drills/outage.toml">
            <system-out>replay: firedrill run redis-outage --seed 7
report: runs/today/redis-outage/report.html</system-out>
        </testcase>
        <testcase name="gate during.errors" classname="firedrill.redis-outage" file="drills/outage.toml"/>
        <testcase name="check lost-writes" classname="firedrill.redis-outage" file="drills/outage.toml"/>
        <testcase name="situation unknown.append" classname="firedrill.redis-outage" file="drills/outage.toml"/>
        <testcase name="fault proxy.down" classname="firedrill.redis-outage" file="drills/outage.toml"/>
        <testcase name="generator" classname="firedrill.redis-outage" file="drills/outage.toml"/>
    </testsuite>
</testsuites>
"#;
        assert_eq!(render(&invocation(vec![drilled])).unwrap(), expected);
    }

    #[test]
    fn a_failed_gate_and_an_invalid_check_are_failures_with_their_offences() {
        let TestCaseStatus::NonSuccess { kind, message, .. } = case(failed("x"), "gate during.errors").status else {
            panic!("passed");
        };
        assert_eq!(kind, NonSuccessKind::Failure);
        assert_eq!(message.unwrap().as_str(), "5 % is not <= 1%");
        let TestCaseStatus::NonSuccess { description, .. } = case(failed("x"), "check lost-writes").status else {
            panic!("passed");
        };
        let description = description.unwrap();
        assert!(description.contains("session 2, at 1.50 s, op 2: write 2 is gone"), "{}", description.as_str());
    }

    #[test]
    fn what_nobody_can_tell_is_an_error_and_what_is_only_reported_is_skipped() {
        let kind = |status| match status {
            TestCaseStatus::NonSuccess { kind, .. } => Some(kind),
            _ => None,
        };
        let mut run = passed("x");
        run.faults[0].bit = false;
        assert_eq!(kind(case(run, "fault proxy.down").status), Some(NonSuccessKind::Error));
        let mut run = passed("x");
        run.generator.saturated = true;
        assert_eq!(kind(case(run, "generator").status), Some(NonSuccessKind::Error));
        let mut run = passed("x");
        run.checks = vec![check("ttl", CheckVerdict::Invalid, 1)];
        run.checks[0].counts = false;
        assert!(matches!(case(run, "check ttl").status, TestCaseStatus::Skipped { .. }));
    }

    #[test]
    fn a_scenario_that_did_not_run_is_an_error_with_the_reason() {
        let xml = render(&invocation(vec![not_run("redis-outage")])).unwrap();
        let report = Report::deserialize_from_str(&xml).unwrap();
        assert_eq!((report.tests, report.errors, report.failures), (1, 1, 0));
        assert!(xml.contains(r#"<error message="no redis-server on the PATH" type="not run">"#), "{xml}");
    }

    #[test]
    fn a_server_s_answer_cannot_make_the_file_invalid() {
        let mut run = failed("x");
        run.checks[0].summary = "got \u{0}\u{8}\u{1b}[31m]]>\u{ffff} & <tag a=\"b\">".to_owned();
        let TestCaseStatus::NonSuccess { message, .. } = case(run, "check lost-writes").status else {
            panic!("passed");
        };
        assert_eq!(message.unwrap().as_str(), "invalid: got [31m]]> & <tag a=\"b\">");
    }

    #[test]
    fn no_case_has_more_than_64_kib_of_text() {
        let mut run = failed("x");
        for sample in &mut run.checks[0].samples {
            sample.text = "<&\">'".repeat(60_000);
        }
        let xml = render(&invocation(vec![judged(run)])).unwrap();
        let (_, rest) = xml.split_once("<failure message=\"invalid").unwrap();
        let failure = rest.split("</failure>").next().unwrap();
        assert!(failure.len() < TEXT + MESSAGE && failure.len() > TEXT / 2, "{}", failure.len());
    }

    #[test]
    fn a_thousand_drills_that_failed_at_length_stay_below_gitlab_s_limit() {
        let mut run = failed("a-scenario-with-a-rather-long-name");
        run.checks = (0..30).map(|n| check(&format!("checker-{n}"), CheckVerdict::Invalid, 25)).collect();
        for sample in run.checks.iter_mut().flat_map(|check| &mut check.samples) {
            sample.text = "\"a long answer\" ".repeat(10);
        }
        let drills = vec![judged(run); 1000];
        let xml = render(&invocation(drills)).unwrap();
        assert!(xml.len() < 30_000_000, "{} MB", xml.len() / 1_000_000);
        assert_eq!(Report::deserialize_from_str(&xml).unwrap().failures, 32_000);
    }
}
