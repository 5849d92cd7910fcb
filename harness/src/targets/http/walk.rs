//! One session walked through its operations, without load or faults: whether the description fits the application, and
//! whether the application uses the Redis it was given.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::walked::{Act, Seen, Walk, Witness};
use super::client::{Application, HttpClient};
use super::trace::Trace;
use crate::history::{OpKind, OpRecord, Outcome, Presence, SessionNo, Token};
use crate::target::{Client as _, Observation, Operation};

/// The walk's session: no plan has this number.
const SESSION: SessionNo = OpRecord::NO_OWNER - 1;

/// Where its operations are numbered from: no plan comes so far, and JavaScript's numbers hold it.
const FIRST_INDEX: u64 = 1 << 50;

/// How long an answer may take.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// How long a write may take to reach Redis after its answer.
const ARRIVAL_DEADLINE: Duration = Duration::from_secs(1);

/// What an operation must lead to.
enum Must {
    /// It is done.
    Do,
    /// The session holds these tokens, or is this number.
    Show(Vec<Token>),
    /// There is no such session.
    Deny,
    /// It is answered. Whether it finds anything is for the drill to judge.
    Say,
}

/// Walks one session through what `application` is described to do.
pub(super) async fn walk(application: &Arc<Application>, witness: &dyn Witness) -> Walk {
    let mut client = HttpClient::to(application);
    let offers = |kind| application.program.op(kind).is_some();
    let mut script = vec![(OpKind::Create, Must::Do)];
    let token = |index: usize| FIRST_INDEX + index as u64 + 1;
    let models =
        [(OpKind::Append, vec![token(1), token(2)]), (OpKind::Put, vec![token(2)]), (OpKind::Increment, vec![2])];
    let model = models.into_iter().find(|(kind, _)| offers(*kind));
    if let Some((kind, _)) = &model {
        script.extend([(*kind, Must::Do), (*kind, Must::Do)]);
    }
    let read = || (OpKind::Read, model.as_ref().map_or(Must::Do, |(_, holds)| Must::Show(holds.clone())));
    script.push(read());
    if offers(OpKind::Touch) {
        script.push((OpKind::Touch, Must::Do));
    }
    if offers(OpKind::Renew) {
        script.extend([(OpKind::Renew, Must::Do), read(), (OpKind::Revisit, Must::Say)]);
    }
    if offers(OpKind::Destroy) {
        script.extend([(OpKind::Destroy, Must::Do), (OpKind::Read, Must::Deny)]);
    }
    if offers(OpKind::LogoutEverywhere) {
        if offers(OpKind::Destroy) {
            script.push((OpKind::Create, Must::Do));
        }
        script.extend([(OpKind::LogoutEverywhere, Must::Do), (OpKind::Read, Must::Deny)]);
    }
    let mut walk = Walk { acts: Vec::new(), wrong: None, without_redis: false };
    for (number, (kind, must)) in script.into_iter().enumerate() {
        let index = FIRST_INDEX + number as u64;
        let op = Operation { index, kind, session: SESSION, process: SESSION, payload_bytes: 100 };
        let before = witness.seen().await;
        client.trace = Some(Trace::default());
        let mut seen = Observation::default();
        let outcome = tokio::time::timeout(ANSWER_DEADLINE, client.execute(&op, &mut seen)).await;
        let in_time = outcome.is_ok();
        let outcome = outcome.unwrap_or(Outcome::Unknown);
        let changes = writes(kind);
        let arrived = arrived(witness, before, changes && outcome.acknowledged()).await;
        walk.wrong = wrong(kind, &must, in_time.then_some(outcome), &seen);
        let tokens = match kind {
            OpKind::Append | OpKind::Put => vec![op.token()],
            _ => seen.tokens,
        };
        let exchanges = client.trace.take().unwrap_or_default().0;
        walk.acts.push(Act { kind, exchanges, outcome, presence: seen.presence, tokens, seen: arrived });
        if walk.wrong.is_some() {
            return walk;
        }
    }
    let wrote = walk.acts.iter().filter(|act| writes(act.kind));
    let (mut anything, mut witnessed) = (false, false);
    for seen in wrote.map(|act| act.seen) {
        // Redis's own count of writes says more than bytes do: a pool that only pings sends bytes too.
        let count = seen.writes.or(seen.bytes);
        witnessed |= count.is_some();
        anything |= count.unwrap_or(0) > 0 && seen.bytes != Some(0);
    }
    walk.without_redis = witnessed && !anything;
    walk
}

/// Whether it must reach Redis.
fn writes(kind: OpKind) -> bool {
    matches!(kind, OpKind::Create | OpKind::Append | OpKind::Put | OpKind::Increment)
}

/// What has reached Redis since `before`. Applications that store a session after they have answered get a moment.
async fn arrived(witness: &dyn Witness, before: Seen, expected: bool) -> Seen {
    let deadline = Instant::now() + ARRIVAL_DEADLINE;
    loop {
        let now = witness.seen().await;
        let since = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        let seen = Seen { bytes: since(now.bytes, before.bytes), writes: since(now.writes, before.writes) };
        if !expected || seen.writes.or(seen.bytes) != Some(0) || Instant::now() >= deadline {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What is wrong with the end of an operation; `None` if nothing is.
fn wrong(kind: OpKind, must: &Must, outcome: Option<Outcome>, seen: &Observation) -> Option<String> {
    let name = kind.name();
    let Some(outcome) = outcome else {
        return Some(format!("{name}: no answer within {} s", ANSWER_DEADLINE.as_secs()));
    };
    if !outcome.acknowledged() {
        let why = seen.refusal.clone().unwrap_or_else(|| format!("{name}: {}", seen.cause.name()));
        return Some(format!("{why} (this counts as {})", outcome.name()));
    }
    match (must, seen.presence) {
        (Must::Deny, Presence::Absent) | (Must::Say, _) => None,
        (Must::Deny, _) => Some(format!(
            "{name}: after the logout the answer is not one that `absent` describes: the session is still there"
        )),
        (Must::Do | Must::Show(_), Presence::Absent) => {
            Some(format!("{name}: the answer is one that `absent` describes, for a session that was just made"))
        }
        (Must::Show(tokens), _) if *tokens != seen.tokens => {
            Some(format!("{name}: it must show {tokens:?}, and shows {:?}", seen.tokens))
        }
        (Must::Do | Must::Show(_), _) => match seen.owner {
            Some(owner) if owner != SESSION => {
                Some(format!("{name}: the owner must be {SESSION}, this session's number, and is {owner}"))
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Cause;

    #[test]
    fn an_end_that_does_not_fit_the_description_is_named() {
        let seen =
            |presence, tokens: &[Token]| Observation { presence, tokens: tokens.to_vec(), ..Observation::default() };
        let there = seen(Presence::Present, &[1, 2]);
        let shows = |tokens: &[Token]| wrong(OpKind::Read, &Must::Show(tokens.to_vec()), Some(Outcome::Ok), &there);
        assert_eq!(shows(&[1, 2]), None);
        assert_eq!(shows(&[1, 3]).unwrap(), "read: it must show [1, 3], and shows [1, 2]");
        assert!(shows(&[2, 1]).is_some(), "a list has an order");
        assert!(wrong(OpKind::Read, &Must::Deny, Some(Outcome::Ok), &there).unwrap().contains("still there"));
        let gone = seen(Presence::Absent, &[]);
        assert_eq!(wrong(OpKind::Read, &Must::Deny, Some(Outcome::Ok), &gone), None);
        assert!(wrong(OpKind::Append, &Must::Do, Some(Outcome::Ok), &gone).unwrap().contains("just made"));
        assert!(wrong(OpKind::Append, &Must::Do, None, &there).unwrap().contains("no answer"));
        let failed = Observation { cause: Cause::Unreachable, ..Observation::default() };
        let text = wrong(OpKind::Create, &Must::Do, Some(Outcome::Failed), &failed).unwrap();
        assert_eq!(text, "create: unreachable (this counts as failed)");
    }
}
