//! GitHub's workflow commands, which show a message at a line of a file in a pull request
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message>). The
//! escapes are those of GitHub's own client (<https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>).

use super::drilled::{Drilled, Invocation};
use super::finding::{Answer, Finding};
use super::plain;

/// GitHub shows ten messages of a step and drops the rest.
const MOST: usize = 10;

/// The most of a message, in bytes.
const MESSAGE: usize = 4 << 10;

/// One command per gate, check or other finding that counts against a drill of a scenario read from a file, failures first.
/// `line` finds the line, from 1, of a path of keys in a drill's scenario.
pub fn render(invocation: &Invocation, line: impl Fn(&Drilled, &[String]) -> Option<usize>) -> Vec<String> {
    let mut found: Vec<(&Drilled, &String, Finding)> = Vec::new();
    for drilled in &invocation.drills {
        let Some(file) = &drilled.file else { continue };
        let against = drilled.findings().into_iter().filter(Finding::counts_against);
        found.extend(against.map(|finding| (drilled, file, finding)));
    }
    found.sort_by_key(|(_, _, finding)| finding.answer != Answer::Broken);
    let command = |(drilled, file, finding): &(&Drilled, &String, Finding)| {
        let title = format!("{}: {}", drilled.scenario, finding.id);
        // Without a line GitHub shows the message at the first.
        let place = line(drilled, &finding.path).map_or_else(String::new, |line| format!("line={line},"));
        let says = plain::cut(&finding.says, MESSAGE, char::len_utf8);
        format!("::error file={},{place}title={}::{}", property(file), property(&title), data(&says))
    };
    found.iter().take(MOST).map(command).collect()
}

/// A command's message.
fn data(text: &str) -> String {
    let kept = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    plain::printable(&kept)
}

/// The value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{check, failed, invocation, judged, not_run, passed};
    use super::*;
    use crate::run::CheckVerdict;

    fn from_file(mut drilled: Drilled) -> Drilled {
        drilled.file = Some("drills/50%, or: so.toml".to_owned());
        drilled
    }

    #[test]
    fn a_failed_gate_is_shown_at_its_line() {
        let mut run = failed("redis-outage");
        run.checks[0].summary = "5 % gone\r\nfor good".to_owned();
        let line = |_: &Drilled, path: &[String]| (path[0] == "gates").then_some(17);
        let expected = [
            "::error file=drills/50%25%2C or%3A so.toml,line=17,title=redis-outage%3A gate during.errors::5 %25 is not <= 1%25",
            "::error file=drills/50%25%2C or%3A so.toml,title=redis-outage%3A check lost-writes::\
             invalid: 5 %25 gone%0D%0Afor good",
        ];
        assert_eq!(render(&invocation(vec![from_file(judged(run))]), line), expected);
    }

    #[test]
    fn only_scenarios_of_a_file_that_did_not_pass_are_shown() {
        let drills = vec![judged(failed("shipped")), from_file(judged(passed("mine"))), from_file(not_run("ttl"))];
        assert_eq!(render(&invocation(drills), |_, _| Some(1)), [""; 0]);
    }

    #[test]
    fn ten_are_shown_at_most_and_failures_first() {
        let mut unclear = passed("unclear");
        unclear.faults[0].bit = false;
        let mut run = failed("x");
        run.checks = (0..30).map(|n| check(&format!("c{n}"), CheckVerdict::Invalid, 1)).collect();
        let shown = render(&invocation(vec![from_file(judged(unclear)), from_file(judged(run))]), |_, _| None);
        assert_eq!(shown.len(), 10);
        assert!(shown.iter().all(|command| command.contains("title=x%3A ")), "{shown:#?}");
    }
}
