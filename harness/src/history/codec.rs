//! The layout of operations in the body of an `OPS ` frame: one after another until the body ends, each in about 17
//! bytes plus two per token read. An operation is encoded relative to the previous operation in the same frame (zeros
//! before the first), so every frame can be read on its own.
//!
//! | field | encoding |
//! |---|---|
//! | flags | u16 little-endian, from the lowest bit: kind 3, step 2, outcome 2, presence 2, cause 4, owner 2, tokens 1 |
//! | kind | one byte, only if the flags' kind is 7: the kinds from 7 on |
//! | index | zigzag varint, minus the previous operation's index |
//! | planned | zigzag varint, ns, minus the previous operation's |
//! | started | zigzag varint, ns, minus its own planned |
//! | ended | zigzag varint, ns, minus its own started |
//! | session, process, version | varint each |
//! | owner | varint, only if the flag is 2 (0: says nothing, 1: the session operated on) |
//! | tokens | only if the flag is 1: varint count, then zigzag varints, each minus the one before, the first minus index + 1 |

use super::op::{Cause, OpKind, OpRecord, Outcome, Presence, SessionNo, Step, Token};
use super::varint::{MAX_LEN, put, skip, take, unzigzag, zigzag};

/// The maximum size of an operation's fixed part in bytes: flags, kind and nine numbers (token count included).
const MAX_FIXED: usize = 3 + 9 * MAX_LEN;

/// Flag value: the kind does not fit into the flags and follows in a separate byte.
const KIND_FOLLOWS: u8 = 7;

/// The values that the next operation is encoded relative to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Previous {
    index: u64,
    planned: i64,
}

const OWNER_NONE: u16 = 0;
const OWNER_SESSION: u16 = 1;
const OWNER_OTHER: u16 = 2;

/// Appends `op` with its `tokens` to `body`.
#[inline]
pub(super) fn encode(op: &OpRecord, tokens: &[u64], previous: &mut Previous, body: &mut Vec<u8>) {
    let owner = match op.owner {
        OpRecord::NO_OWNER => OWNER_NONE,
        o if o == op.session => OWNER_SESSION,
        _ => OWNER_OTHER,
    };
    let flags = u16::from((op.kind as u8).min(KIND_FOLLOWS))
        | (op.step as u16) << 3
        | (op.outcome as u16) << 5
        | (op.presence as u16) << 7
        | (op.cause as u16) << 9
        | owner << 13
        | u16::from(!tokens.is_empty()) << 15;
    let mut fixed = [0u8; MAX_FIXED];
    fixed[..2].copy_from_slice(&flags.to_le_bytes());
    let mut end = 2;
    if op.kind as u8 >= KIND_FOLLOWS {
        fixed[end] = op.kind as u8;
        end += 1;
    }
    end = put(&mut fixed, end, difference(op.index, previous.index));
    end = put(&mut fixed, end, zigzag(op.planned.wrapping_sub(previous.planned)));
    end = put(&mut fixed, end, zigzag(op.started.wrapping_sub(op.planned)));
    end = put(&mut fixed, end, zigzag(op.ended.wrapping_sub(op.started)));
    end = put(&mut fixed, end, u64::from(op.session));
    end = put(&mut fixed, end, u64::from(op.process));
    end = put(&mut fixed, end, op.version);
    if owner == OWNER_OTHER {
        end = put(&mut fixed, end, u64::from(op.owner));
    }
    if !tokens.is_empty() {
        end = put(&mut fixed, end, tokens.len() as u64);
    }
    body.extend_from_slice(&fixed[..end]);
    let mut before = op.index.wrapping_add(1);
    for &token in tokens {
        let mut one = [0u8; MAX_LEN];
        let end = put(&mut one, 0, difference(token, before));
        body.extend_from_slice(&one[..end]);
        before = token;
    }
    *previous = Previous { index: op.index, planned: op.planned };
}

#[inline]
fn difference(value: u64, from: u64) -> u64 {
    zigzag(value.wrapping_sub(from) as i64)
}

/// The tokens of an operation, as encoded in a frame's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// The operation's position among the decoded ones.
    pub op: u32,
    /// The operation's number.
    pub index: u64,
    /// Its session.
    pub session: SessionNo,
    /// Where its tokens are in the body; there is at least one.
    pub begin: u32,
    pub end: u32,
    /// Whether the tokens are the session's content, so that other reads have probably found the same.
    pub shared: bool,
}

/// Appends the operations in `body` that `keep` accepts to `ops`, and the location of their tokens to `told`. Returns
/// the number of operations, including those left out.
pub(super) fn decode(
    body: &[u8],
    ops: &mut Vec<OpRecord>,
    told: &mut Vec<Told>,
    keep: impl Fn(&OpRecord) -> bool,
) -> Result<u64, Unreadable> {
    let (mut rest, mut previous, mut decoded) = (body, Previous::default(), 0);
    while !rest.is_empty() {
        let op = decode_fixed(&mut rest, &mut previous)?;
        let begin = body.len() - rest.len();
        skip(&mut rest, op.tokens_len as usize).ok_or(Unreadable::Short)?;
        let end = body.len() - rest.len();
        decoded += 1;
        if !keep(&op) {
            continue;
        }
        if op.tokens_len > 0 {
            told.push(Told {
                op: ops.len() as u32,
                index: op.index,
                session: op.session,
                begin: begin as u32,
                end: end as u32,
                shared: op.kind == OpKind::Read,
            });
        }
        ops.push(op);
    }
    Ok(decoded)
}

/// Why a body with a valid checksum could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("an operation is cut short")]
    Short,
    #[error("an operation has a {0} that does not exist")]
    NoSuch(&'static str),
    #[error("too many tokens to hold")]
    TooLarge,
}

/// Takes everything but the tokens of an operation from the front of `body`.
#[inline]
fn decode_fixed(body: &mut &[u8], previous: &mut Previous) -> Result<OpRecord, Unreadable> {
    let (flags, rest) = body.split_first_chunk::<2>().ok_or(Unreadable::Short)?;
    *body = rest;
    let flags = u16::from_le_bytes(*flags);
    let bits = |at: u16, width: u16| usize::from(flags >> at & ((1 << width) - 1));
    let kind = kind(bits(0, 3) as u8, body)?;

    let index = previous.index.wrapping_add_signed(signed(body)?);
    // Its token would not fit.
    if index == u64::MAX {
        return Err(Unreadable::NoSuch("number"));
    }
    let planned = previous.planned.wrapping_add(signed(body)?);
    let started = planned.wrapping_add(signed(body)?);
    let ended = started.wrapping_add(signed(body)?);
    let session = small(body, "session number")?;
    let process = small(body, "process number")?;
    let version = number(body)?;
    let owner = match bits(13, 2) as u16 {
        OWNER_NONE => OpRecord::NO_OWNER,
        OWNER_SESSION => session,
        OWNER_OTHER => small(body, "owner")?,
        _ => return Err(Unreadable::NoSuch("owner")),
    };
    let tokens_len = if bits(15, 1) == 1 { small(body, "number of tokens")? } else { 0 };
    *previous = Previous { index, planned };
    Ok(OpRecord {
        index,
        planned,
        started,
        ended,
        version,
        session,
        process,
        owner,
        tokens_at: 0,
        tokens_len,
        kind,
        step: *Step::ALL.get(bits(3, 2)).ok_or(Unreadable::NoSuch("step"))?,
        outcome: *Outcome::ALL.get(bits(5, 2)).ok_or(Unreadable::NoSuch("outcome"))?,
        presence: *Presence::ALL.get(bits(7, 2)).ok_or(Unreadable::NoSuch("presence"))?,
        cause: *Cause::ALL.get(bits(9, 4)).ok_or(Unreadable::NoSuch("cause"))?,
    })
}

/// The kind in the flags, or in the byte after them.
#[inline]
fn kind(in_flags: u8, body: &mut &[u8]) -> Result<OpKind, Unreadable> {
    let number = if in_flags == KIND_FOLLOWS {
        let (&number, rest) = body.split_first().ok_or(Unreadable::Short)?;
        *body = rest;
        Some(number).filter(|&number| number >= KIND_FOLLOWS)
    } else {
        Some(in_flags)
    };
    number.and_then(|number| OpKind::ALL.get(usize::from(number)).copied()).ok_or(Unreadable::NoSuch("kind"))
}

#[inline]
fn number(body: &mut &[u8]) -> Result<u64, Unreadable> {
    take(body).ok_or(Unreadable::Short)
}

#[inline]
fn signed(body: &mut &[u8]) -> Result<i64, Unreadable> {
    number(body).map(unzigzag)
}

/// Takes a token from the front of `body`, given the previous one.
#[inline]
pub(super) fn take_token(body: &mut &[u8], before: Token) -> Result<Token, Unreadable> {
    signed(body).map(|difference| before.wrapping_add_signed(difference))
}

#[inline]
fn small(body: &mut &[u8], what: &'static str) -> Result<u32, Unreadable> {
    u32::try_from(number(body)?).map_err(|_| Unreadable::NoSuch(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operations in `body`, each with its tokens.
    fn decoded(body: &[u8]) -> Result<Vec<(OpRecord, Vec<Token>)>, Unreadable> {
        let (mut ops, mut told) = (Vec::new(), Vec::new());
        assert_eq!(decode(body, &mut ops, &mut told, |_| true)?, ops.len() as u64);
        let mut found: Vec<(OpRecord, Vec<Token>)> = ops.into_iter().map(|op| (op, Vec::new())).collect();
        for told in told {
            let (mut rest, mut token) = (&body[told.begin as usize..told.end as usize], told.index.wrapping_add(1));
            while !rest.is_empty() {
                token = take_token(&mut rest, token)?;
                found[told.op as usize].1.push(token);
            }
        }
        Ok(found)
    }

    fn read_op() -> OpRecord {
        OpRecord {
            index: 41,
            planned: 1_000,
            started: 1_100,
            ended: 1_064,
            version: 3,
            session: 7,
            process: 9,
            owner: 7,
            tokens_at: 0,
            tokens_len: 2,
            kind: OpKind::Read,
            step: Step::Load,
            outcome: Outcome::Degraded,
            presence: Presence::Present,
            cause: Cause::Fallback,
        }
    }

    #[test]
    fn an_operation_has_the_documented_bytes() {
        let mut body = Vec::new();
        encode(&read_op(), &[40, 43], &mut Previous::default(), &mut body);
        // kind 1, step 2 << 3, outcome 1 << 5, presence 2 << 7, cause 9 << 9, owner 1 << 13, tokens 1 << 15
        let flags = (1 | 2 << 3 | 1 << 5 | 2 << 7 | 9 << 9 | 1 << 13 | 1u16 << 15).to_le_bytes();
        let expected = [flags[0], flags[1], 82, 0xd0, 0x0f, 0xc8, 0x01, 71, 7, 9, 3, 2, 3, 6];
        assert_eq!(body, expected);
    }

    #[test]
    fn the_kinds_beyond_the_flags_have_a_byte_of_their_own() {
        let count = OpRecord { kind: OpKind::Count, tokens_len: 1, ..read_op() };
        let mut body = Vec::new();
        encode(&count, &[42], &mut Previous::default(), &mut body);
        let flags = (7 | 2 << 3 | 1 << 5 | 2 << 7 | 9 << 9 | 1 << 13 | 1u16 << 15).to_le_bytes();
        assert_eq!(body[..4], [flags[0], flags[1], 8, 82]);
        for kind in OpKind::ALL {
            let op = OpRecord { kind, tokens_len: 1, ..read_op() };
            let mut body = Vec::new();
            encode(&op, &[42], &mut Previous::default(), &mut body);
            assert_eq!(decoded(&body), Ok(vec![(op, vec![42])]));
        }
    }

    #[test]
    fn what_was_encoded_is_decoded_with_its_extremes() {
        let plain = OpRecord { tokens_len: 0, owner: OpRecord::NO_OWNER, ..read_op() };
        let extreme = OpRecord {
            index: u64::MAX - 1,
            planned: i64::MIN,
            started: i64::MAX,
            ended: i64::MIN,
            version: u64::MAX,
            session: u32::MAX,
            process: u32::MAX,
            owner: 0,
            tokens_at: 0,
            tokens_len: 3,
            kind: OpKind::Destroy,
            step: Step::Final,
            outcome: Outcome::Unknown,
            presence: Presence::Absent,
            cause: Cause::Fallback,
        };
        let written = [(read_op(), vec![40, 43]), (plain, vec![]), (extreme, vec![0, u64::MAX, 1])];
        let (mut body, mut previous) = (Vec::new(), Previous::default());
        for (op, tokens) in &written {
            encode(op, tokens, &mut previous, &mut body);
        }
        assert_eq!(decoded(&body), Ok(written.to_vec()));
    }

    #[test]
    fn numbers_without_a_meaning_are_refused() {
        let mut body = Vec::new();
        encode(&read_op(), &[40, 43], &mut Previous::default(), &mut body);
        let flawed = |flags: u16| {
            let mut body = body.clone();
            body[..2].copy_from_slice(&flags.to_le_bytes());
            decoded(&body)
        };
        // The byte after the flags is 82, which is no kind.
        assert_eq!(flawed(7), Err(Unreadable::NoSuch("kind")));
        assert_eq!(kind(7, &mut &[6][..]), Err(Unreadable::NoSuch("kind")));
        assert_eq!(kind(7, &mut &[][..]), Err(Unreadable::Short));
        assert_eq!(flawed(3 << 7), Err(Unreadable::NoSuch("presence")));
        assert_eq!(flawed(11 << 9), Err(Unreadable::NoSuch("cause")));
        assert_eq!(flawed(3 << 13), Err(Unreadable::NoSuch("owner")));
        assert_eq!(decoded(&body[..body.len() - 1]), Err(Unreadable::Short));
    }
}
