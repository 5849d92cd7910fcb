//! Compares the table of states and events in docs/storage.md with the code.

use std::time::Duration;

use super::commit::Job;
use super::copy::{Base, Copy, Moment, State};
use super::pending::PendingWrite;
use crate::lineage::Lineage;
use crate::operation::{Answer, Operation};
use crate::record::timestamp::Timestamp;
use crate::record::trivia::{Answer as Given, TriviaSession, UserId};
use crate::redis_store::back::WriteBack;
use crate::store::{Session, SessionId, Version};

type Trivia = Copy<TriviaSession>;

const HOUR: Duration = Duration::from_secs(3600);
const LATER: u64 = 3_600_000_000_000;
const DOCS: &str = include_str!("../../../../docs/storage.md");

fn data(questions: &[u64]) -> TriviaSession {
    let id = SessionId::new("a").unwrap();
    let mut data = TriviaSession::sized(id, UserId::anonymous(), 0, Timestamp(0));
    for question in questions {
        crate::data::SessionData::append(&mut data, item(*question));
    }
    data
}

fn item(question: u64) -> Given {
    Given { question, choice: 0, correct: true, score: 1, answered_at: Timestamp(0) }
}

fn line(text: &str) -> Lineage {
    Lineage::parse(text.as_bytes()).unwrap()
}

/// Redis's state at version 2, from which every copy here descends.
fn base() -> Base {
    Base { version: 2, lineage: line("0000000100000002"), heard: 0, boot: 0 }
}

fn at(boot: u64) -> Moment {
    Moment { now: 10, asked: 9, boot, doubtful: false }
}

fn clean() -> Trivia {
    Copy::clean(data(&[1]), base(), 0, LATER)
}

fn after(copy: Trivia, operation: Operation<TriviaSession>) -> Trivia {
    copy.apply(&operation, HOUR, 10, true, None).0
}

fn states() -> [(&'static str, Trivia); 5] {
    [
        ("clean", clean()),
        ("used", after(clean(), Operation::Get)),
        ("written", after(clean(), Operation::Append(item(2)))),
        ("destroyed", Copy::tombstone(3, Some(base()), Lineage::default(), at(0), LATER)),
        ("doomed", after(clean(), Operation::Destroy)),
    ]
}

fn name(copy: &Trivia) -> &'static str {
    match &copy.state {
        State::Clean { .. } => "clean",
        State::Dirty { pending: PendingWrite { content: None, renamed: None, .. }, .. } => "used",
        State::Dirty { .. } => "written",
        State::Destroyed { pending: None, .. } => "destroyed",
        State::Destroyed { .. } => "doomed",
    }
}

/// The next state; `None`: the event cannot meet this state.
type Event = fn(Trivia) -> Option<Trivia>;

fn heard(copy: Trivia, version: Version, lineage: &str) -> Option<Trivia> {
    let theirs = Base { version, lineage: line(lineage), heard: 10, boot: 0 };
    let theirs = Copy::clean(data(&[1, 5]), theirs, 10, LATER);
    match copy.is_dirty() {
        true => Some(copy.caught_up(Operation::Get, &Answer::read(None), Lineage::default(), HOUR, at(0)).0),
        false => copy.heard_whole(theirs, false, at(0)),
    }
}

fn told(copy: Trivia, boot: u64, told: WriteBack<TriviaSession>) -> Option<Trivia> {
    let job: Job<_> = copy.write_back(10)?;
    Some(copy.resolve(&job, told, at(boot)).0)
}

fn conflict(questions: &[u64], version: Version, lineage: &str) -> WriteBack<TriviaSession> {
    WriteBack::Conflict(Session { version, data: data(questions) }, line(lineage))
}

const EVENTS: [(&str, Event); 22] = [
    ("a create, in the outage", |copy| Some(after(copy, Operation::Create(data(&[9]))))),
    ("a put, in the outage", |copy| Some(after(copy, Operation::Put(data(&[9]))))),
    ("an update, in the outage", |copy| Some(after(copy, Operation::Update(2, data(&[9]))))),
    ("an append, in the outage", |copy| Some(after(copy, Operation::Append(item(9))))),
    ("a read or a touch, in the outage", |copy| Some(after(copy, Operation::Get))),
    ("a destroy, in the outage", |copy| Some(after(copy, Operation::Destroy))),
    ("it gets another id, in the outage", |copy| Some(after(copy, Operation::Rename(SessionId::new("b").unwrap())))),
    ("what has the new id then", |copy| {
        let live = copy.is_live(10);
        copy.continued(&SessionId::new("a").unwrap(), &SessionId::new("b").unwrap(), HOUR, 10, None).filter(|_| live)
    }),
    ("a read of a newer state is heard", |copy| heard(copy, 4, "0000000100000004")),
    ("a read of an older state is heard", |copy| heard(copy, 1, "0000000100000001")),
    ("an append is heard", |copy| match copy.is_dirty() {
        true => {
            Some(copy.caught_up(Operation::Append(item(7)), &Answer::at(3), line("0000000100000003"), HOUR, at(0)).0)
        }
        false => copy.heard_append(3, item(7), line("0000000100000003"), at(0)),
    }),
    ("a destroy is heard", |copy| match copy.is_dirty() {
        true => Some(copy.caught_up(Operation::Destroy, &Answer::at(3), Lineage::default(), HOUR, at(0)).0),
        false => Some(Copy::tombstone(3, copy.base(), Lineage::default(), at(0), LATER)),
    }),
    ("another Redis process serves", |copy| Some(if copy.is_dirty() { copy } else { copy.suspected() })),
    ("told: Redis has it", |copy| told(copy, 0, WriteBack::Written(4, line("0000000100000004")))),
    ("told: Redis has none", |copy| told(copy, 0, WriteBack::Missing)),
    ("told: destroyed elsewhere", |copy| {
        told(copy, 0, WriteBack::Destroyed { tombstone: 5, doubtful: false, under: None })
    }),
    ("told: another process has given it another id", |copy| {
        told(copy, 0, WriteBack::Renamed(5, SessionId::new("b").unwrap()))
    }),
    ("told: another process has appended", |copy| told(copy, 0, conflict(&[1, 5], 3, "0000000100000003"))),
    ("told: Redis has lost its last writes", |copy| told(copy, 1, conflict(&[], 1, "0000000100000001"))),
    ("told: another session is under this id", |copy| told(copy, 0, conflict(&[6], 1, "0000000900000001"))),
    ("told: this process's own write is there", |copy| {
        let job: Job<_> = copy.write_back(10)?;
        let super::Work::Write { data, line, .. } = &job.work else { return None };
        let theirs = Session { version: copy.version(), data: data.clone() };
        let doubted = copy.put_off(&job, true);
        Some(doubted.resolve(&job, WriteBack::Conflict(theirs, *line), at(0)).0)
    }),
    ("no answer", |copy| {
        let job: Job<_> = copy.write_back(10)?;
        Some(copy.put_off(&job, true))
    }),
];

#[test]
fn the_table_in_the_docs_is_what_the_code_does() {
    let mut rows = vec![];
    for (event, next) in EVENTS {
        let cells = states().map(|(state, copy)| {
            assert_eq!(name(&copy), state);
            next(copy).as_ref().map_or("", name)
        });
        rows.push(format!("| {event} | {} |", cells.join(" | ")));
    }
    let missing: Vec<&String> = rows.iter().filter(|row| !DOCS.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/storage.md is not what the code does; the table is\n{}", rows.join("\n"));
}

#[test]
fn what_comes_back_is_committed_only_where_it_still_holds() {
    // Put again while Redis was replying that another process had destroyed it.
    let written = after(clean(), Operation::Append(item(2)));
    let job: Job<_> = written.write_back(10).unwrap();
    let again = after(written, Operation::Put(data(&[9])));
    let (next, outcome) =
        again.resolve(&job, WriteBack::Destroyed { tombstone: 5, doubtful: false, under: None }, at(0));
    assert_eq!((name(&next), outcome), ("written", super::Outcome::Again));
    assert_eq!(next.data(), Some(&data(&[9])));

    // Destroyed while Redis was replying that it has it.
    let written = after(clean(), Operation::Append(item(2)));
    let job: Job<_> = written.write_back(10).unwrap();
    let gone = after(written, Operation::Destroy);
    let (next, outcome) = gone.resolve(&job, WriteBack::Written(3, line("0000000100000003")), at(0));
    assert_eq!((name(&next), outcome), ("doomed", super::Outcome::Again));
}
