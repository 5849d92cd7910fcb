//! The commands that carry out the operations, and what their replies say.

use firedrill_storage::refusal_in_words;

use super::super::wiring::CommandSpec;
use super::connection::Reply;
use super::resp::Value;
use super::template::{Place, Template};
use super::value;
use crate::history::{Cause, OpKind, Outcome, Presence, Token};
use crate::ids::mixed;
use crate::load::Recording;
use crate::target::{Observation, Operation};

/// The commands of the operations that no command of one's own carries out.
const USUAL: [(OpKind, &str); 5] = [
    (OpKind::Create, "SET {{key}} {{value}}"),
    (OpKind::Read, "GET {{key}}"),
    (OpKind::Put, "SET {{key}} {{value}}"),
    (OpKind::Touch, "TOUCH {{key}}"),
    (OpKind::Destroy, "DEL {{key}}"),
];

/// The commands of every operation.
pub(super) struct Vocabulary {
    /// Of each kind: the commands, with their cumulative shares in 0..=1.
    commands: [Vec<(f64, Template)>; OpKind::COUNT],
    /// The commands of recordings, by number.
    recorded: Vec<Template>,
    /// Whether a write leaves its bare token and not a whole value.
    bare_tokens: bool,
    prefix: String,
    seed: u64,
}

impl Vocabulary {
    /// The usual commands, and `own` ones instead. Keys start with `prefix`; `ttl` is in seconds.
    pub(super) fn new(own: &[CommandSpec], recordings: &[&Recording], prefix: &str, seed: u64, ttl: u64) -> Self {
        let commands = OpKind::ALL.map(|kind| {
            let mut chosen: Vec<(f64, Template)> = own
                .iter()
                .filter(|command| command.carries.kind() == kind)
                .map(|command| (command.weight, Template::new(&command.send.words(), ttl)))
                .collect();
            if chosen.is_empty()
                && let Some((_, usual)) = USUAL.iter().find(|(of, _)| *of == kind)
            {
                let words: Vec<String> = usual.split(' ').map(str::to_owned).collect();
                chosen.push((1.0, Template::new(&words, ttl)));
            }
            let total: f64 = chosen.iter().map(|(weight, _)| weight).sum();
            let mut share = 0.0;
            for (weight, _) in &mut chosen {
                share += *weight / total;
                *weight = share;
            }
            chosen
        });
        let recorded = recordings.iter().flat_map(|recording| recording.others()).map(Template::around_key).collect();
        let writes =
            |command: &&CommandSpec| matches!(command.carries.kind(), OpKind::Create | OpKind::Append | OpKind::Put);
        let written: Vec<Template> =
            own.iter().filter(writes).map(|command| Template::new(&command.send.words(), ttl)).collect();
        let holds = |place| written.iter().any(|template| template.holds(place));
        let bare_tokens = !holds(Place::Value) && holds(Place::Token);
        Self { commands, recorded, bare_tokens, prefix: prefix.to_owned(), seed }
    }

    /// Whether it has a command for `op`.
    pub(super) fn has(&self, op: &Operation) -> bool {
        self.template(op).is_some()
    }

    fn template(&self, op: &Operation) -> Option<&Template> {
        if let Some(number) = op.recorded() {
            return self.recorded.get(number);
        }
        match self.commands[op.kind as usize].as_slice() {
            [(_, only)] => Some(only),
            several => {
                let draw = mixed(self.seed, op.index) as f64 / u64::MAX as f64;
                several.iter().find(|(share, _)| draw <= *share).or(several.last()).map(|(_, template)| template)
            }
        }
    }

    /// Appends the command of `op` to `request`.
    #[inline]
    pub(super) fn encode(&self, op: &Operation, request: &mut Vec<u8>) {
        if let Some(template) = self.template(op) {
            template.encode(op, &self.prefix, request);
        }
    }

    /// The key of `op`.
    pub(super) fn key(&self, op: &Operation, key: &mut Vec<u8>) {
        key.clear();
        match self.template(op) {
            Some(template) => template.write_key(op, &self.prefix, key),
            None => value::write_name(key, &self.prefix, op.session),
        }
    }

    /// What `reply` says of `op`, which it is the reply to.
    #[inline]
    pub(super) fn observe(&self, op: &Operation, reply: &Reply<'_>, seen: &mut Observation) -> Outcome {
        if let Some(error) = reply.error() {
            seen.refusal = Some(refusal_in_words(&String::from_utf8_lossy(error)));
            return seen.failed(Cause::Refused);
        }
        let first = reply.values.first().unwrap_or(&Value::Nil);
        match op.kind {
            OpKind::Read => return self.read(op, reply, seen),
            // Made anew where there is one already: `SET … NX`, `HSETNX`.
            OpKind::Create if *first == Value::Nil => return seen.failed(Cause::AlreadyExists),
            // Changed only where there is one: `SET … XX`, `RPUSHX`.
            OpKind::Put if *first == Value::Nil => seen.presence = Presence::Absent,
            OpKind::Append if matches!(first, Value::Nil | Value::Integer(0)) => seen.presence = Presence::Absent,
            OpKind::Touch | OpKind::Destroy => {
                let absent = matches!(first, Value::Nil | Value::Integer(..=0));
                seen.presence = if absent { Presence::Absent } else { Presence::Present };
            }
            OpKind::Command => self.whose(op, reply, seen),
            _ => {}
        }
        Outcome::Ok
    }

    fn read(&self, op: &Operation, reply: &Reply<'_>, seen: &mut Observation) -> Outcome {
        let mut texts = false;
        for value in reply.values {
            match value {
                Value::Bulk(place) => {
                    texts = true;
                    let text = reply.text(place);
                    let found = if self.bare_tokens {
                        value::read_token(text).map(|token| (None, token))
                    } else {
                        value::read_head(text).map(|(owner, token)| (Some(owner), token))
                    };
                    if let Some((owner, token)) = found {
                        self.noted(op, owner, token, seen);
                    }
                }
                Value::Nil => {}
                _ => return unexpected(seen),
            }
        }
        if !texts {
            seen.presence = Presence::Absent;
            return Outcome::Ok;
        }
        seen.presence = Presence::Present;
        if seen.tokens.is_empty() { seen.failed(Cause::Corrupt) } else { Outcome::Ok }
    }

    /// Notes whose data a reply holds that is not read for its content.
    fn whose(&self, op: &Operation, reply: &Reply<'_>, seen: &mut Observation) {
        for value in reply.values {
            if let Value::Bulk(place) = value
                && let Some((owner, _)) = value::read_head(reply.text(place))
                && seen.owner.is_none_or(|known| known == op.session)
            {
                seen.owner = Some(owner);
            }
        }
    }

    fn noted(&self, op: &Operation, owner: Option<u32>, token: Token, seen: &mut Observation) {
        seen.tokens.push(token);
        // Of several owners, one that must not be there counts.
        if owner.is_some() && seen.owner.is_none_or(|known| known == op.session) {
            seen.owner = owner;
        }
    }
}

/// The reply is not of a kind that the command has.
fn unexpected(seen: &mut Observation) -> Outcome {
    seen.tokens.clear();
    seen.owner = None;
    seen.unknown(Cause::Corrupt)
}
