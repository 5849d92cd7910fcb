//! The table of situations. To add one, write its row; what it counts is in the history's operations, in one session
//! ([`of_session`]), or in the history as a whole ([`of_history`]).

use firedrill_reports::run::Outcome;

use super::{Row, Source, of_history, of_session};
use crate::history::{Cause, OpKind};
use crate::target::Ability;

/// Every situation.
pub static ROWS: [Row; 14] = [
    operations(
        "unknown.KIND",
        ["KIND of unknown outcome", "KINDs of unknown outcome"],
        "operations of unknown outcome: they took effect or did not, and the target does not know",
        Source::Operations(|op, _| op.outcome == Outcome::Unknown),
    ),
    operations(
        "degraded.KIND",
        ["KIND that the fallback acknowledged", "KINDs that the fallback acknowledged"],
        "operations that the fallback acknowledged",
        Source::Operations(|op, _| op.outcome == Outcome::Degraded),
    ),
    fallback(
        "taken-over.KIND",
        ["KIND that the fallback took over", "KINDs that the fallback took over"],
        "operations sent before the fallback was active, and acknowledged by it: Redis was asked first and may have carried \
         them out",
        Source::Operations(|op, times| {
            op.outcome == Outcome::Degraded && times.activation_for(op.process, op.started).is_none()
        }),
    ),
    operations(
        "failed.KIND",
        ["KIND that certainly failed", "KINDs that certainly failed"],
        "operations that were certainly without effect",
        Source::Operations(|op, _| op.outcome == Outcome::Failed),
    ),
    operations(
        "missing.KIND",
        ["KIND that found no session", "KINDs that found no session"],
        "operations answered with \"no such session\" although the session must exist",
        Source::Operations(|op, _| op.outcome == Outcome::Missing),
    ),
    operations(
        "conflicts",
        ["version conflict", "version conflicts"],
        "operations that failed by a version conflict; those that a retry of the target settled leave no trace",
        Source::Operations(|op, _| op.cause == Cause::Conflict),
    ),
    operations(
        "concurrent-writes",
        ["write beside another", "writes beside others"],
        "writes (not those that failed) sent while another write to the same session was under way",
        Source::Sessions(of_session::concurrent_writes),
    ),
    Row {
        operation: Some(OpKind::Award),
        ..operations(
            "contended-awards",
            ["session with awards at the same time", "sessions with awards at the same time"],
            "sessions whose reward was claimed while another claim of it was under way",
            Source::Sessions(of_session::contended_awards),
        )
    },
    Row {
        operation: Some(OpKind::Destroy),
        ..operations(
            "after-destroy.KIND",
            ["KIND after the destroy", "KINDs after the destroy"],
            "operations sent to a session after its destroy was acknowledged",
            Source::Sessions(of_session::after_destroy),
        )
    },
    Row {
        operation: Some(OpKind::List),
        ..operations(
            "listings-over-the-limit",
            ["listing over the limit", "listings over the limit"],
            "listings that showed the 50 that they asked for, of a user who certainly had more",
            Source::History(of_history::listings_over_the_limit),
        )
    },
    fallback(
        "sessions-first-used-in-an-outage",
        ["session first used in an outage", "sessions first used in an outage"],
        "sessions older than the load whose first operation of the load was sent while the fallback was active: until then \
         nothing but the warm-up had used them",
        Source::Sessions(of_session::first_used_in_an_outage),
    ),
    Row {
        ability: Some(Ability::Expiry),
        ..fallback(
            "sessions-expired-in-an-outage",
            ["session that expired in an outage", "sessions that expired in an outage"],
            "sessions whose lifetime certainly ended while the fallback was active",
            Source::Sessions(of_session::expired_in_an_outage),
        )
    },
    fallback(
        "faults-before-the-fallback-ended",
        ["fault before the fallback of another ended", "faults before the fallback of another ended"],
        "faults that took hold after another was over and before the fallback was: what was being handed back was \
         interrupted or had not begun",
        Source::History(of_history::faults_before_the_fallback_ended),
    ),
    fallback(
        "drains-interrupted",
        ["interrupted drain", "interrupted drains"],
        "drains that had begun to write back what Redis lacked, and met its next failure before they were done",
        Source::History(of_history::drains_interrupted),
    ),
];

/// What operations tell whatever the target is.
const fn operations(key: &'static str, nouns: [&'static str; 2], about: &'static str, source: Source) -> Row {
    Row { key, nouns, ability: None, operation: None, about, source }
}

/// What is counted while the fallback was active.
const fn fallback(key: &'static str, nouns: [&'static str; 2], about: &'static str, source: Source) -> Row {
    Row { key, nouns, ability: Some(Ability::Fallback), operation: None, about, source }
}
