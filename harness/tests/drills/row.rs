//! A row of the tables: the expected results of a scenario, unchanged and with changes. Each row and each of its
//! changes is a separate test.

use libtest_mimic::Trial;

use crate::support::drill::{FinishedDrill, Places};
use crate::support::{app, drill};

/// The exit status of a drill that proves nothing.
pub const INCONCLUSIVE: i32 = 3;

/// A check or gate that a failed drill must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// This check is invalid.
    Check(&'static str),
    /// This gate fails.
    Gate(&'static str),
}

/// A closer look at a drill than its exit status.
type Look = fn(&FinishedDrill);

#[derive(Clone, Copy)]
enum Source {
    Shipped(&'static str),
    Own(&'static str),
}

/// One drill: the row unchanged, or with changes.
#[derive(Clone)]
struct Case {
    name: String,
    changes: Vec<&'static str>,
    status: i32,
    failures: Vec<Failure>,
    nothing_else: bool,
    looks: Vec<Look>,
}

/// A scenario and its expected results.
pub struct Row {
    name: &'static str,
    source: Source,
    places: Places,
    base: Vec<&'static str>,
    cases: Vec<Case>,
}

/// A shipped scenario. Unchanged, it must pass, and each of its faults must have taken effect.
pub fn shipped(name: &'static str) -> Row {
    Row::new(name, Source::Shipped(name)).shows(every_fault_bit)
}

/// A scenario in `texts/`, which must pass unchanged.
pub fn own(name: &'static str, text: &'static str) -> Row {
    Row::new(name, Source::Own(text))
}

fn every_fault_bit(done: &FinishedDrill) {
    for fault in &done.run().faults {
        assert!(!fault.hit.is_empty(), "{fault:?}");
        assert!(fault.bit && fault.onset_ms.is_some() && fault.end_ms.is_some(), "{fault:?}\n{}", done.stdout);
    }
}

impl Row {
    fn new(name: &'static str, source: Source) -> Self {
        let case = Case {
            name: String::new(),
            changes: Vec::new(),
            status: 0,
            failures: Vec::new(),
            nothing_else: false,
            looks: Vec::new(),
        };
        Self { name, source, places: Places::OneServer, base: Vec::new(), cases: vec![case] }
    }

    /// The name of the scenario or of its text.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The planted defects that it drills, each with the name of the scenario.
    pub fn plants(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let changes = self.cases.iter().flat_map(|case| &case.changes);
        changes.filter_map(|change| Some((self.name, change.strip_prefix("store.defect=")?)))
    }

    /// How much of the machine its drills need.
    pub fn takes(mut self, places: Places) -> Self {
        self.places = places;
        self
    }

    /// A change that applies to all its drills.
    pub fn set(mut self, change: &'static str) -> Self {
        self.base.push(change);
        self
    }

    /// Tests only the changes and does not run the unchanged scenario.
    pub fn only_changed(mut self) -> Self {
        self.cases.clear();
        self
    }

    /// The exit status required of the unchanged scenario.
    pub fn ends_with(mut self, status: i32) -> Self {
        self.last().status = status;
        self
    }

    /// The latest drill must also pass a closer look.
    pub fn shows(mut self, look: Look) -> Self {
        self.last().looks.push(look);
        self
    }

    /// With these changes, each a `PATH=VALUE` or `--app=FILE`, it must pass as well.
    pub fn passes(self, name: &str, changes: &[&'static str]) -> Self {
        self.case(name, changes, 0, &[])
    }

    /// With these changes, it must fail, at least with these failures.
    pub fn fails(self, name: &str, changes: &[&'static str], failures: &[Failure]) -> Self {
        assert!(!failures.is_empty(), "{name}: a drill that fails for any reason at all proves nothing");
        self.case(name, changes, 1, failures)
    }

    /// With these changes, it must fail with exactly these failures.
    pub fn fails_only(self, name: &str, changes: &[&'static str], failures: &[Failure]) -> Self {
        let mut row = self.fails(name, changes, failures);
        row.last().nothing_else = true;
        row
    }

    /// With these changes, it must be inconclusive.
    pub fn proves_nothing(self, name: &str, changes: &[&'static str]) -> Self {
        self.case(name, changes, INCONCLUSIVE, &[])
    }

    fn case(mut self, name: &str, changes: &[&'static str], status: i32, failures: &[Failure]) -> Self {
        let (changes, failures) = (changes.to_vec(), failures.to_vec());
        let case = Case { name: name.to_owned(), changes, status, failures, nothing_else: false, looks: Vec::new() };
        self.cases.push(case);
        self
    }

    fn last(&mut self) -> &mut Case {
        self.cases.last_mut().expect("a row begins with a drill")
    }

    /// Whether any of its changes must fail.
    pub fn can_fail(&self) -> bool {
        self.cases.iter().any(|case| case.status == 1)
    }

    /// Its tests.
    pub fn trials(self) -> Vec<Trial> {
        let (source, places, base) = (self.source, self.places, self.base);
        let trial = |case: Case| {
            let name =
                if case.name.is_empty() { self.name.to_owned() } else { format!("{}::{}", self.name, case.name) };
            let base = base.clone();
            Trial::test(name, move || {
                case.judge(&source.drill(places, &[base, case.changes.clone()].concat(), case.status));
                Ok(())
            })
        };
        self.cases.into_iter().map(trial).collect()
    }
}

impl Source {
    /// Runs the drill; one that should be inconclusive is not repeated.
    fn drill(self, places: Places, changes: &[&str], status: i32) -> FinishedDrill {
        let session_server = app::session_server().to_str().expect("a path in UTF-8");
        let mut arguments = vec!["--session-server", session_server];
        arguments.extend(changes.iter().flat_map(|change| match change.strip_prefix("--app=") {
            Some(file) => ["--app", file],
            None => ["--set", change],
        }));
        let run = if status == INCONCLUSIVE { drill::run_once } else { drill::run };
        match self {
            Source::Shipped(name) => run(places, name, &arguments),
            Source::Own(text) => {
                let (_folder, file) = drill::written(text);
                run(places, &file, &arguments)
            }
        }
    }
}

impl Case {
    fn judge(&self, done: &FinishedDrill) {
        done.must_end_with(self.status);
        let mut found = found(done);
        let mut wanted = self.failures.clone();
        if !self.nothing_else {
            found.retain(|failure| wanted.contains(failure));
        }
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "what failed\n{}", done.stdout);
        self.looks.iter().for_each(|look| look(done));
    }
}

/// The failed gates, and the invalid checks that count.
fn found(done: &FinishedDrill) -> Vec<Failure> {
    let run = done.run();
    let gates =
        run.gates.iter().filter(|gate| gate.verdict.name() == "fail").map(|gate| Failure::Gate(known(&gate.name)));
    let checks = run.checks.iter().filter(|check| check.verdict.name() == "invalid");
    gates.chain(checks.map(|check| Failure::Check(known(&check.name)))).collect()
}

/// Makes the name live as long as the tests.
fn known(name: &str) -> &'static str {
    name.to_owned().leak()
}
