//! A schedule: how the store is set up, and what happens when. It is written as readable lines, so that a failing
//! schedule can be kept as a test.

use std::fmt;
use std::str::FromStr;

use firedrill_storage::{Policy, planted};

use crate::redis::commands::Refusal;
use crate::redis::fate::{Fate, Partition};

/// What a process does with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Creates it, with one item.
    Create,
    /// Reads it.
    Get,
    /// Writes it whole, with one item.
    Put,
    /// Reads it, then writes it by the version that was read.
    Update,
    /// Adds an item.
    Append,
    /// Slides its lifetime.
    Touch,
    /// Ends it.
    Destroy,
    /// Ends it and every other session of its user.
    LogOut,
    /// Gives it the id of this session.
    Rename(usize),
}

/// How a caller waits for the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caller {
    /// Drops the call after this many milliseconds.
    pub patience: Option<u64>,
    /// Checks for the reply only at this interval in milliseconds, as on a busy machine: a later reply may be noticed
    /// before it.
    pub slow: Option<u64>,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are as named.
pub enum Action {
    /// A process calls its store.
    Call {
        process: usize,
        op: Op,
        session: usize,
        caller: Caller,
    },
    /// The process's next data command meets this fate.
    Doom {
        process: usize,
        fate: Fate,
    },
    /// The process's messages take up to this many milliseconds.
    Delay {
        process: usize,
        ms: u64,
    },
    /// The process's connections are cut.
    Cut {
        process: usize,
    },
    /// The process is cut off from the server.
    Part {
        process: usize,
        partition: Partition,
    },
    /// The process is reconnected.
    Mend {
        process: usize,
    },
    /// The server is killed and loses its last writes.
    Crash {
        lose: usize,
    },
    /// The server starts again.
    Restart,
    /// A replica without the last writes takes over.
    FailOver {
        lose: usize,
    },
    /// The server stops, then continues.
    Freeze,
    Thaw,
    /// The server refuses commands, and accepts them again.
    Refuse {
        refusal: Refusal,
    },
    Accept,
    /// The server forgets its scripts.
    Forget,
    /// The server evicts a session.
    Evict {
        session: usize,
    },
    /// The next merge panics.
    Panic,
    /// The process changes its policy.
    Switch {
        process: usize,
        policy: Policy,
    },
    /// The process creates this many sessions, one after another.
    Fill {
        process: usize,
        sessions: usize,
    },
    /// The process adds a new key at the front of its key ring.
    Rotate {
        process: usize,
    },
}

/// An action and when it happens, in milliseconds from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The time.
    pub at: u64,
    /// The action.
    pub action: Action,
}

/// How the store is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The policy of every process at the start.
    pub policy: Policy,
    /// How many processes share the server.
    pub processes: usize,
    /// Maximum number of sessions in memory.
    pub capacity: usize,
    /// Lifetime of a session in milliseconds.
    pub ttl: u64,
    /// Whether a read slides the lifetime.
    pub sliding: bool,
    /// Whether sessions are encrypted.
    pub encrypted: bool,
    /// Whether merges combine both copies; otherwise the newer copy wins.
    pub unites: bool,
    /// Whether there is a circuit breaker.
    pub breaker: bool,
    /// The defect planted in every store.
    pub planted: Option<&'static str>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            policy: Policy::Drain,
            processes: 1,
            capacity: 64,
            ttl: 3_600_000,
            sliding: true,
            encrypted: false,
            unites: true,
            breaker: false,
            planted: None,
        }
    }
}

/// A whole schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The seed for delays and jitter.
    pub seed: u64,
    /// How the store is set up.
    pub setting: Setting,
    /// What happens, in order of time.
    pub events: Vec<Event>,
}

impl Schedule {
    /// For each session, the first of those that renames connect it with. They are one user's.
    pub fn families(&self) -> Vec<usize> {
        let calls = self.events.iter().filter_map(|event| match event.action {
            Action::Call { session, op: Op::Rename(to), .. } => Some((session, to)),
            Action::Call { session, .. } => Some((session, session)),
            _ => None,
        });
        let calls: Vec<(usize, usize)> = calls.collect();
        let sessions = calls.iter().map(|(from, to)| from.max(to) + 1).max().unwrap_or_default();
        let mut families: Vec<usize> = (0..sessions).collect();
        let renames: Vec<_> = calls.into_iter().filter(|(from, to)| from != to).collect();
        // Each round connects one more rename of a chain.
        for _ in 0..renames.len() {
            for (from, to) in &renames {
                let first = families[*from].min(families[*to]);
                (families[*from], families[*to]) = (first, first);
            }
        }
        families
    }
}

const OPS: [(&str, Op); 8] = [
    ("create", Op::Create),
    ("get", Op::Get),
    ("put", Op::Put),
    ("update", Op::Update),
    ("append", Op::Append),
    ("touch", Op::Touch),
    ("destroy", Op::Destroy),
    ("logout", Op::LogOut),
];

const REFUSALS: [(&str, Refusal); 3] =
    [("oom", Refusal::OutOfMemory), ("readonly", Refusal::ReadOnly), ("misconf", Refusal::CannotSave)];

fn name<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("?", |(name, _)| name)
}

fn named<T: Copy>(table: &[(&'static str, T)], text: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Action::Call { process, op, session, caller: Caller { patience, slow } } => {
                match op {
                    Op::Rename(to) => write!(f, "p{process} rename s{session} s{to}")?,
                    op => write!(f, "p{process} {} s{session}", name(&OPS, &op))?,
                }
                patience.map_or(Ok(()), |ms| write!(f, " patience {ms}"))?;
                slow.map_or(Ok(()), |ms| write!(f, " slow {ms}"))
            }
            Action::Doom { process, fate } => match fate {
                Fate::CutBefore => write!(f, "p{process} doom cut-before"),
                Fate::CutAfter => write!(f, "p{process} doom cut-after"),
                Fate::Unanswered => write!(f, "p{process} doom unanswered"),
                Fate::Late(ms) => write!(f, "p{process} doom late {ms}"),
                Fate::LateAnswer(ms) => write!(f, "p{process} doom late-answer {ms}"),
            },
            Action::Delay { process, ms } => write!(f, "p{process} delay {ms}"),
            Action::Cut { process } => write!(f, "p{process} cut"),
            Action::Part { process, partition: Partition::Silent } => write!(f, "p{process} part silent"),
            Action::Part { process, partition: Partition::Refused } => write!(f, "p{process} part refused"),
            Action::Mend { process } => write!(f, "p{process} mend"),
            Action::Switch { process, policy } => write!(f, "p{process} switch {policy}"),
            Action::Fill { process, sessions } => write!(f, "p{process} fill {sessions}"),
            Action::Rotate { process } => write!(f, "p{process} rotate"),
            Action::Crash { lose } => write!(f, "crash {lose}"),
            Action::Restart => f.write_str("restart"),
            Action::FailOver { lose } => write!(f, "fail-over {lose}"),
            Action::Freeze => f.write_str("freeze"),
            Action::Thaw => f.write_str("thaw"),
            Action::Refuse { refusal } => write!(f, "refuse {}", name(&REFUSALS, &refusal)),
            Action::Accept => f.write_str("accept"),
            Action::Forget => f.write_str("forget"),
            Action::Evict { session } => write!(f, "evict s{session}"),
            Action::Panic => f.write_str("panic"),
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let unknown = || format!("not an action: `{text}`");
        let number = |word: &str| word.parse::<u64>().map_err(|_| unknown());
        let size = |word: &str| word.parse::<usize>().map_err(|_| unknown());
        let session = |word: &str| word.strip_prefix('s').ok_or_else(unknown).and_then(size);
        let process = words[0].strip_prefix('p').and_then(|word| word.parse().ok());
        if let Some(process) = process {
            let fate = match &words[1..] {
                ["cut"] => return Ok(Action::Cut { process }),
                ["mend"] => return Ok(Action::Mend { process }),
                ["rotate"] => return Ok(Action::Rotate { process }),
                ["delay", ms] => return Ok(Action::Delay { process, ms: number(ms)? }),
                ["part", "silent"] => return Ok(Action::Part { process, partition: Partition::Silent }),
                ["part", "refused"] => return Ok(Action::Part { process, partition: Partition::Refused }),
                ["switch", policy] => {
                    let policy = policy.parse().map_err(|_| unknown())?;
                    return Ok(Action::Switch { process, policy });
                }
                ["fill", sessions] => return Ok(Action::Fill { process, sessions: size(sessions)? }),
                ["doom", "cut-before"] => Fate::CutBefore,
                ["doom", "cut-after"] => Fate::CutAfter,
                ["doom", "unanswered"] => Fate::Unanswered,
                ["doom", "late", ms] => Fate::Late(number(ms)?),
                ["doom", "late-answer", ms] => Fate::LateAnswer(number(ms)?),
                [op, at, rest @ ..] => {
                    let (op, rest) = match (*op, rest) {
                        ("rename", [to, rest @ ..]) => (Op::Rename(session(to)?), rest),
                        (op, rest) => (named(&OPS, op).ok_or_else(unknown)?, rest),
                    };
                    let (mut caller, mut rest) = (Caller::default(), rest);
                    while let [what, ms, further @ ..] = rest {
                        match *what {
                            "patience" => caller.patience = Some(number(ms)?),
                            "slow" => caller.slow = Some(number(ms)?),
                            _ => return Err(unknown()),
                        }
                        rest = further;
                    }
                    if !rest.is_empty() {
                        return Err(unknown());
                    }
                    return Ok(Action::Call { process, op, session: session(at)?, caller });
                }
                _ => return Err(unknown()),
            };
            return Ok(Action::Doom { process, fate });
        }
        Ok(match words.as_slice() {
            ["crash", lose] => Action::Crash { lose: size(lose)? },
            ["restart"] => Action::Restart,
            ["fail-over", lose] => Action::FailOver { lose: size(lose)? },
            ["freeze"] => Action::Freeze,
            ["thaw"] => Action::Thaw,
            ["refuse", refusal] => Action::Refuse { refusal: named(&REFUSALS, refusal).ok_or_else(unknown)? },
            ["accept"] => Action::Accept,
            ["forget"] => Action::Forget,
            ["evict", at] => Action::Evict { session: session(at)? },
            ["panic"] => Action::Panic,
            _ => return Err(unknown()),
        })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (set, usual) = (self.setting, Setting::default());
        write!(f, "seed {} policy {}", self.seed, set.policy)?;
        for (name, value, usual) in [
            ("processes", set.processes as u64, usual.processes as u64),
            ("capacity", set.capacity as u64, usual.capacity as u64),
            ("ttl", set.ttl, usual.ttl),
        ] {
            if value != usual {
                write!(f, " {name} {value}")?;
            }
        }
        for (name, value, usual) in [
            ("fixed-ttl", !set.sliding, !usual.sliding),
            ("encrypted", set.encrypted, usual.encrypted),
            ("newest-wins", !set.unites, !usual.unites),
            ("breaker", set.breaker, usual.breaker),
        ] {
            if value != usual {
                write!(f, " {name}")?;
            }
        }
        if let Some(planted) = set.planted {
            write!(f, " planted {planted}")?;
        }
        self.events.iter().try_for_each(|event| write!(f, "\n{:>6} {}", event.at, event.action))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let head = lines.next().ok_or("an empty schedule")?;
        let (mut seed, mut setting) = (0, Setting::default());
        let mut words = head.split_whitespace();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{word}` needs a number"));
            match word {
                "seed" => seed = number(value()?)?,
                "policy" => setting.policy = value()?.parse().map_err(|error| format!("{error}"))?,
                "processes" => setting.processes = number(value()?)? as usize,
                "capacity" => setting.capacity = number(value()?)? as usize,
                "ttl" => setting.ttl = number(value()?)?,
                "fixed-ttl" => setting.sliding = false,
                "encrypted" => setting.encrypted = true,
                "newest-wins" => setting.unites = false,
                "breaker" => setting.breaker = true,
                "planted" => {
                    let defect = planted::find(value()?).map_err(|error| error.to_string())?;
                    setting.planted = Some(defect.name);
                }
                _ => return Err(format!("not a setting: `{word}`")),
            }
        }
        let event = |line: &str| -> Result<Event, String> {
            let (at, action) = line.split_once(' ').ok_or_else(|| format!("not an event: `{line}`"))?;
            let at = at.parse().map_err(|_| format!("not a time: `{at}`"))?;
            Ok(Event { at, action: action.trim().parse()? })
        };
        Ok(Self { seed, setting, events: lines.map(event).collect::<Result<_, _>>()? })
    }
}
