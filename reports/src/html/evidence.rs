//! The evidence for a plan as one page that opens offline, for a reviewer to sign.

use maud::{Markup, html};

use super::page_with_keys;
use super::parts::{Answer as _, chip, table};
use crate::evidence::{Answer, Behind, Evidence, Judged, impact_by_limit, longest};
use crate::text;

/// Renders `evidence`; `digest` is that of its statement.
pub fn render_evidence(evidence: &Evidence, digest: &str) -> String {
    let content = html! {
        (overview(evidence))
        @for (number, step) in evidence.steps.iter().enumerate() { (section(number + 1, step)) }
        (method())
        (signature(evidence, digest))
    };
    page_with_keys(&format!("{}: {}", evidence.title, evidence.answer().name()), &content)
}

impl super::parts::Answer for Answer {
    fn chip(self) -> (&'static str, &'static str) {
        let class = match self {
            Answer::Met => "good",
            Answer::NotMet => "bad",
            Answer::NoEvidence => "doubtful",
        };
        (class, self.name())
    }
}

fn overview(evidence: &Evidence) -> Markup {
    let (class, word) = evidence.answer().chip();
    let met = evidence.steps.iter().filter(|step| step.answer == Answer::Met).count();
    let rows = html! {
        @for (number, step) in evidence.steps.iter().enumerate() {
            tr {
                td { (chip(step.answer)) }
                td { a href={ "#step-" (number + 1) } { (step.step.name) } }
                @match &step.worst {
                    Some(worst) => {
                        @for (_, touched, limit) in impact_by_limit(worst, &step.step.accept) {
                            td.figure.alarm[limit.is_exceeded(touched.sessions, worst.sessions)] {
                                (text::count(touched.sessions))
                            }
                        }
                        td.figure { (text::millis(longest(worst))) }
                    }
                    None => { @for _ in 0..5 { td.figure { "–" } } }
                }
                td.figure { (step.runs.len()) }
            }
        }
    };
    html! {
        section id="verdict" {
            header class={ "banner " (class) } {
                p.word { (word) }
                h1 { (evidence.title) }
                p.about { (evidence.about) }
                p.reasons { (met) " of " (text::counted(evidence.steps.len() as u64, "step")) " met" }
            }
            h2 { "What each step cost, at most" }
            (table(&["Answer", "Step", "Sessions lost", "Not found", "Refused", "Delayed", "Longest for one", "Runs"], 2, &rows))
        }
    }
}

fn section(number: usize, judged: &Judged) -> Markup {
    let step = &judged.step;
    html! {
        section id={ "step-" (number) } {
            h2 { (number) ". " (step.name) " " (chip(judged.answer)) }
            @if !step.about.is_empty() { p { (step.about) } }
            @if !judged.reasons.is_empty() {
                ul { @for reason in &judged.reasons { li { strong { (reason) } } } }
            }
            p.quiet {
                "Rehearsed by the scenario " code { (step.scenario) }
                @for change in &step.set { " " code { "--set " (change) } }
                ". Accepted: " (accepted(judged)) "."
            }
            @if !judged.runs.is_empty() { (runs(judged)) }
            @if !judged.left_out.is_empty() {
                h3 { "Runs that do not count" }
                ul { @for (place, why) in &judged.left_out { li { code { (place) } ": " (why) } } }
            }
        }
    }
}

fn accepted(judged: &Judged) -> String {
    let accept = &judged.step.accept;
    let amounts = [
        ("lost", accept.lost),
        ("not found", accept.not_found),
        ("refused", accept.refused),
        ("delayed", accept.delayed),
    ];
    let mut words: Vec<String> = amounts.iter().map(|(what, limit)| format!("{what} {limit}")).collect();
    words.extend(accept.lasting.map(|limit| format!("for at most {limit}")));
    words.join(", ")
}

fn runs(judged: &Judged) -> Markup {
    html! {
        @for run in &judged.runs {
            div.behind {
                h3 { (chip(run.verdict)) " " code { (run.place) } }
                (costs(judged, run))
                (facts(run))
            }
        }
    }
}

fn costs(judged: &Judged, run: &Behind) -> Markup {
    let impact = &run.impact;
    let rows = html! {
        @for (what, touched, limit) in impact_by_limit(impact, &judged.step.accept) {
            tr {
                td { (what) }
                td { (limit) }
                td.figure.alarm[limit.is_exceeded(touched.sessions, impact.sessions)] {
                    (text::count(touched.sessions)) " of " (text::count(impact.sessions))
                }
                td.figure { (text::count(touched.operations)) }
                td.figure { @if let Some(from) = touched.from_ms { (text::window(from, touched.to_ms)) } }
                td.figure { @if let Some(longest) = touched.longest_ms { (text::millis(longest)) } }
            }
        }
    };
    table(&["Sessions", "Accepted", "Number", "Operations", "When", "Longest for one"], 2, &rows)
}

fn facts(run: &Behind) -> Markup {
    html! {
        table.facts {
            tr { th scope="row" { "when" } td { (run.started_at) ", seed " (run.seed) } }
            tr { th scope="row" { "again" } td { code { (run.replay) } } }
            tr { th scope="row" { "on" } td { @for (key, value) in &run.on { span.fact { (key) " " strong { (value) } } " " } } }
            tr { th scope="row" { "run.json" } td { "SHA-256 " code.digest { (run.digest) } } }
        }
    }
}

fn method() -> Markup {
    html! {
        section {
            h2 { "What the words mean" }
            dl {
                dt { "lost" } dd { "an acknowledged write of the session is not in its final read" }
                dt { "not found" } dd { "an answer \"no such session\", for a session that must exist" }
                dt { "refused" } dd { "an operation failed, or has an unknown outcome: its user saw an error, or no answer" }
                dt { "delayed" } dd { "an operation was acknowledged more than a second after it was due" }
                dt { "longest for one" }
                dd {
                    "from when the first such operation of a session was due until one of the same session went well again, or until \
                     it was over for all sessions"
                }
            }
            p.quiet {
                "A step is met only if every run that counts passed and stayed within what the plan accepts, and if there are as \
                 many as the plan asks for. Inconclusive and interrupted runs, and runs with other settings, do not count."
            }
        }
    }
}

/// What is signed, and room for it.
fn signature(evidence: &Evidence, digest: &str) -> Markup {
    let (plan, plan_digest) = &evidence.plan;
    html! {
        section.signature {
            h2 { "Review" }
            p {
                "This page was made on " (evidence.judged_at) " by Firedrill " (evidence.firedrill_version) " from the plan "
                code { (plan) } " (SHA-256 " code.digest { (plan_digest) } ") and the runs above."
            }
            p { "Evidence digest, SHA-256 over the digests of the plan and of the runs that count:" br; code.digest { (digest) } }
            p.decision { span { "☐ accepted" } span { "☐ accepted with remarks" } span { "☐ rejected" } }
            div.lines {
                @for field in ["Name", "Role", "Date", "Signature"] { p.line { span { (field) } } }
                p.line.remarks { span { "Remarks" } }
            }
        }
    }
}
