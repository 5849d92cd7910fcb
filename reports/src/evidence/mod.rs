//! Judges a plan (migrate, fail over, fall back, roll back) by the runs that rehearse its steps: what each step cost the
//! users, and whether the plan accepts that. A step without enough evidence is not met, and says so.

mod plan;
mod settings;

use serde::Serialize;

use crate::run::{Impact, Run, Touched, Verdict};
use crate::text;

pub use plan::{Accept, Amount, Lasting, Plan, Step};
use settings::changes;

/// A run, and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    /// Its folder, as readers of the page find it.
    pub place: String,
    /// The SHA-256 of its `run.json`, in hexadecimal digits.
    pub digest: String,
    /// The record.
    pub run: Run,
}

/// A plan with what its runs say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// What is planned.
    pub title: String,
    /// More about it.
    pub about: String,
    /// The plan's file, and the SHA-256 of its text.
    pub plan: (String, String),
    /// When this was judged: RFC 3339, UTC.
    pub judged_at: String,
    /// The Firedrill that judged.
    pub firedrill_version: String,
    /// The steps, in order.
    pub steps: Vec<Judged>,
}

/// A step with its runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The step as planned.
    pub step: Step,
    /// The answer.
    pub answer: Answer,
    /// Why it is not met: one sentence each.
    pub reasons: Vec<String>,
    /// What it cost at most in any of the runs; absent without any.
    pub worst: Option<Impact>,
    /// The runs that count, the newest first.
    pub runs: Vec<Behind>,
    /// Runs of the scenario that do not count: the place, and why.
    pub left_out: Vec<(String, String)>,
}

/// Whether a step costs no more than the plan accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Every run stayed within it.
    Met,
    /// A run did not, or failed.
    NotMet,
    /// There are too few runs to say.
    NoEvidence,
}

impl Answer {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Answer::Met => "met",
            Answer::NotMet => "not met",
            Answer::NoEvidence => "no evidence",
        }
    }
}

/// A run behind a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Behind {
    /// Its folder.
    pub place: String,
    /// The SHA-256 of its `run.json`.
    pub digest: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// When its load started.
    pub started_at: String,
    /// Its seed.
    pub seed: u64,
    /// The command that repeats it.
    pub replay: String,
    /// What it ran on: versions, commit and host, as its record says.
    pub on: Vec<(String, String)>,
    /// What it cost.
    pub impact: Impact,
}

/// What readers want to know of the environment.
const TOLD: [&str; 6] = ["redis", "policy", "git commit", "firedrill build", "host", "processor"];

impl Evidence {
    /// Judges `plan`, whose file is `named` with a digest, by `witnesses`.
    pub fn judge(plan: &Plan, named: (String, String), witnesses: &[Witness], judged_at: String) -> Self {
        Self {
            title: plan.title.clone(),
            about: plan.about.clone(),
            plan: named,
            judged_at,
            firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
            steps: plan.steps.iter().map(|step| judge(step, witnesses)).collect(),
        }
    }

    /// The worst answer of its steps: what is not met weighs more than what is not known.
    pub fn answer(&self) -> Answer {
        let any = |answer| self.steps.iter().any(|step| step.answer == answer);
        match () {
            () if any(Answer::NotMet) => Answer::NotMet,
            () if any(Answer::NoEvidence) => Answer::NoEvidence,
            () => Answer::Met,
        }
    }

    /// What a signature under the page is about, as text: the plan and every run that counts, by their digests. Its own digest
    /// identifies the evidence.
    pub fn statement(&self) -> String {
        let mut lines = vec![format!("{}  {}", self.plan.1, self.plan.0)];
        for run in self.steps.iter().flat_map(|step| &step.runs) {
            lines.push(format!("{}  {}/run.json", run.digest, run.place));
        }
        lines.join("\n") + "\n"
    }
}

fn judge(step: &Step, witnesses: &[Witness]) -> Judged {
    let mut of_scenario: Vec<&Witness> =
        witnesses.iter().filter(|witness| witness.run.scenario.name == step.scenario).collect();
    of_scenario.sort_by(|one, other| other.run.started_at.cmp(&one.run.started_at));
    let (mut runs, mut left_out, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for witness in of_scenario {
        let same = runs.iter().find(|run: &&Behind| run.digest == witness.digest);
        match (same, counts(step, &witness.run)) {
            (Some(run), _) => left_out.push((witness.place.clone(), format!("it is a copy of {}", run.place))),
            (None, Ok(impact)) => runs.push(behind(witness, impact)),
            (None, Err(why)) => left_out.push((witness.place.clone(), why)),
        }
    }
    for run in &runs {
        reasons.extend(beyond(&step.accept, run));
    }
    let answer = match (reasons.is_empty(), runs.len() >= step.runs) {
        (false, _) => Answer::NotMet,
        (true, true) => Answer::Met,
        (true, false) => Answer::NoEvidence,
    };
    if runs.len() < step.runs {
        let (scenario, asked) = (&step.scenario, step.runs);
        reasons.push(format!("too few runs of {scenario} count: {}, and the plan asks for {asked}", runs.len()));
    }
    let worst = runs.iter().map(|run: &Behind| run.impact.clone()).reduce(|a, b| worse(&a, &b));
    Judged { step: step.clone(), answer, reasons, worst, runs, left_out }
}

/// What the run cost, if it is evidence for the step; otherwise why it is not.
fn counts(step: &Step, run: &Run) -> Result<Impact, String> {
    let (mut given, mut wanted) = (changes(&run.replay), step.set.clone());
    given.sort();
    wanted.sort();
    if given != wanted {
        let said = |changes: &[String]| match changes.is_empty() {
            true => "nothing set".to_owned(),
            false => format!("--set {}", changes.join(" --set ")),
        };
        return Err(format!("it ran with {}, the plan asks for {}", said(&given), said(&wanted)));
    }
    if matches!(run.verdict, Verdict::Inconclusive | Verdict::Interrupted) {
        let why = run.reasons.first().map_or(String::new(), |reason| format!(": {reason}"));
        return Err(format!("it was {}{why}", run.verdict.name()));
    }
    let Some(impact) = &run.impact else {
        return Err("its run.json does not say what it cost the sessions: an earlier Firedrill wrote it".to_owned());
    };
    match impact.lost {
        Some(_) => Ok(impact.clone()),
        None => Err("it cannot say whether anything was lost: its check lost-writes has no answer".to_owned()),
    }
}

fn behind(witness: &Witness, impact: Impact) -> Behind {
    let Witness { place, digest, run } = witness;
    let told = TOLD.iter().filter_map(|key| run.environment.iter().find(|fact| fact.key == *key));
    Behind {
        place: place.clone(),
        digest: digest.clone(),
        verdict: run.verdict,
        started_at: run.started_at.clone(),
        seed: run.seed,
        replay: run.replay.clone(),
        on: told.map(|fact| (fact.key.clone(), fact.value.clone())).collect(),
        impact,
    }
}

/// What the step does not accept of a run.
fn beyond(accept: &Accept, run: &Behind) -> Vec<String> {
    let mut found = Vec::new();
    if run.verdict != Verdict::Passed {
        found.push(format!("{}: the drill {}", run.place, run.verdict.name()));
    }
    let impact = &run.impact;
    for (what, touched, limit) in impact_by_limit(impact, accept) {
        if limit.is_exceeded(touched.sessions, impact.sessions) {
            let (sessions, all) = (text::counted(touched.sessions, "session"), text::count(impact.sessions));
            found.push(format!("{}: {sessions} of {all} {what}, accepted: {limit}", run.place));
        }
    }
    let longest = longest(impact);
    if let Some(limit) = accept.lasting.filter(|limit| longest > limit.0) {
        found.push(format!(
            "{}: one session was kept waiting for {}, accepted: {limit}",
            run.place,
            text::millis(longest)
        ));
    }
    found
}

/// Each thing that can happen to sessions, how much of it did, and what is accepted.
pub(crate) fn impact_by_limit(impact: &Impact, accept: &Accept) -> [(&'static str, Touched, Amount); 4] {
    [
        ("lost", impact.lost.unwrap_or_default(), accept.lost),
        ("not found", impact.not_found, accept.not_found),
        ("refused", impact.refused, accept.refused),
        ("delayed", impact.delayed, accept.delayed),
    ]
}

/// The longest that one session was not found, refused or delayed, in milliseconds.
pub(crate) fn longest(impact: &Impact) -> f64 {
    let all = [impact.not_found, impact.refused, impact.delayed];
    all.iter().filter_map(|touched| touched.longest_ms).fold(0.0, f64::max)
}

/// The larger of each figure. Times belong to single runs, and are left out.
fn worse(a: &Impact, b: &Impact) -> Impact {
    let worse = |a: Touched, b: Touched| Touched {
        sessions: a.sessions.max(b.sessions),
        operations: a.operations.max(b.operations),
        from_ms: None,
        to_ms: None,
        longest_ms: [a.longest_ms, b.longest_ms].into_iter().flatten().reduce(f64::max),
    };
    Impact {
        sessions: a.sessions.max(b.sessions),
        lost: Some(worse(a.lost.unwrap_or_default(), b.lost.unwrap_or_default())),
        not_found: worse(a.not_found, b.not_found),
        refused: worse(a.refused, b.refused),
        delayed: worse(a.delayed, b.delayed),
        delayed_over_ms: a.delayed_over_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Scenario;

    fn plan(accept: &str) -> Plan {
        Plan::parse(&format!(
            "title = \"Move\"\n[[step]]\nname = \"Back\"\nscenario = \"rollback\"\nruns = 2\naccept = {{ {accept} }}\n"
        ))
        .unwrap()
    }

    /// A passed run in which 10 of 200 sessions lost something and 20 were not found for at most 3 s.
    fn run(place: &str) -> Witness {
        let touched =
            |sessions, longest_ms| Touched { sessions, operations: sessions, longest_ms, ..Touched::default() };
        let run = Run {
            scenario: Scenario { name: "rollback".to_owned(), ..Scenario::default() },
            verdict: Verdict::Passed,
            replay: "firedrill run rollback --seed 7".to_owned(),
            impact: Some(Impact {
                sessions: 200,
                lost: Some(touched(10, None)),
                not_found: touched(20, Some(3_000.0)),
                ..Impact::default()
            }),
            ..Run::default()
        };
        Witness { place: place.to_owned(), digest: format!("digest of {place}"), run }
    }

    fn judged(accept: &str, witnesses: &[Witness]) -> Judged {
        let named = ("plan.toml".to_owned(), "digest".to_owned());
        Evidence::judge(&plan(accept), named, witnesses, String::new()).steps.remove(0)
    }

    const ENOUGH: &str = "lost = 10, not-found = \"10%\", for = \"3s\"";

    #[test]
    fn a_step_is_met_if_every_run_stays_within_what_is_accepted() {
        let step = judged(ENOUGH, &[run("a"), run("b")]);
        assert_eq!((step.answer, step.reasons.len(), step.runs.len()), (Answer::Met, 0, 2), "{:?}", step.reasons);
        for (accept, says) in [
            ("lost = 9, not-found = \"10%\"", "b: 10 sessions of 200 lost, accepted: at most 9"),
            ("lost = 10", "20 sessions of 200 not found, accepted: none"),
            ("lost = 10, not-found = \"9%\"", "not found, accepted: at most 9 %"),
            ("lost = 10, not-found = 20, for = \"2900ms\"", "kept waiting for 3 s, accepted: 2.9 s"),
        ] {
            let step = judged(accept, &[run("a"), run("b")]);
            assert_eq!(step.answer, Answer::NotMet, "{accept}");
            assert!(step.reasons.iter().any(|reason| reason.contains(says)), "{says}: {:?}", step.reasons);
        }
    }

    #[test]
    fn a_failed_run_is_not_met_and_what_proves_nothing_is_no_evidence() {
        let mut failed = run("failed");
        failed.run.verdict = Verdict::Failed;
        assert_eq!(judged(ENOUGH, &[run("a"), failed]).answer, Answer::NotMet);

        let change = |change: fn(&mut Run)| {
            let mut witness = run("x");
            change(&mut witness.run);
            witness
        };
        for (witness, why) in [
            (change(|run| run.verdict = Verdict::Inconclusive), "it was inconclusive"),
            (change(|run| run.impact = None), "does not say what it cost"),
            (
                change(|run| run.impact = run.impact.take().map(|one| Impact { lost: None, ..one })),
                "cannot say whether",
            ),
            (change(|run| run.replay.push_str(" --set store.policy=drain")), "ran with --set store.policy=drain"),
        ] {
            let step = judged(ENOUGH, &[run("a"), witness]);
            assert_eq!((step.answer, step.left_out.len()), (Answer::NoEvidence, 1), "{why}");
            assert!(step.left_out[0].1.contains(why), "{why}: {:?}", step.left_out);
            assert!(
                step.reasons[0].contains("too few runs of rollback count: 1, and the plan asks for 2"),
                "{:?}",
                step.reasons
            );
        }
        assert_eq!(judged(ENOUGH, &[]).answer, Answer::NoEvidence);
        let copy = Witness { place: "b".to_owned(), ..run("a") };
        let step = judged(ENOUGH, &[run("a"), copy]);
        assert_eq!(step.answer, Answer::NoEvidence);
        assert_eq!(step.left_out, [("b".to_owned(), "it is a copy of a".to_owned())]);
    }

    #[test]
    fn what_is_not_met_weighs_more_than_what_is_not_known() {
        let named = || ("plan.toml".to_owned(), "digest".to_owned());
        let both = Plan { steps: vec![plan("lost = 0").steps.remove(0), plan(ENOUGH).steps.remove(0)], ..plan("") };
        let evidence = Evidence::judge(&both, named(), &[run("a")], String::new());
        assert_eq!(
            evidence.steps.iter().map(|step| step.answer).collect::<Vec<_>>(),
            [Answer::NotMet, Answer::NoEvidence]
        );
        assert_eq!(evidence.answer(), Answer::NotMet);
        assert!(
            evidence.statement().starts_with("digest  plan.toml\ndigest of a  a/run.json\n"),
            "{}",
            evidence.statement()
        );
    }
}
