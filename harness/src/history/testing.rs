//! Histories of literal operations, for tests.

use std::num::NonZeroU32;
use std::ops::Range;

use super::file::Header;
use super::frame::FORMAT_VERSION;
use super::op::{Cause, OpKind, OpRecord, Outcome, Presence, Step};
use crate::clock::Nanos;

/// A header with sessions that live for `ttl`, without slack.
pub(crate) fn header(ttl: Nanos) -> Header {
    Header {
        version: FORMAT_VERSION,
        scenario: "x".to_owned(),
        seed: 1,
        ttl_ns: ttl,
        ttl_slack_ns: 0,
        sliding: true,
        sessions_per_user: NonZeroU32::MIN,
        instances: NonZeroU32::MIN,
        counter: false,
        epoch_ms: 0,
    }
}

/// A load read of session 0, due and sent at the start and answered at the end, that shows nothing about the session.
pub(crate) fn read(at: Range<Nanos>) -> OpRecord {
    OpRecord {
        index: 0,
        planned: at.start,
        started: at.start,
        ended: at.end,
        version: 0,
        session: 0,
        process: 0,
        owner: OpRecord::NO_OWNER,
        tokens_at: 0,
        tokens_len: 0,
        kind: OpKind::Read,
        step: Step::Load,
        outcome: Outcome::Ok,
        presence: Presence::Unsaid,
        cause: Cause::None,
    }
}
