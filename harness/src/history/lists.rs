//! What operations found, in one arena that stores each list once: a read that shows the same as an earlier read of its
//! session, or more, shares its memory. A session that is only appended to takes as much memory as its longest list.
//! Its lists are also decoded only once: a list that starts with the bytes of the previous one holds the same tokens.

use std::hint::black_box;

use hashbrown::HashMap;

use super::codec::{Told, Unreadable, take_token};
use super::op::{OpKind, OpRecord, SessionNo, Token};

/// The number of lists looked up as a batch.
const TOGETHER: usize = 256;

/// The arena under construction.
#[derive(Debug, Default)]
pub(super) struct Lists {
    arena: Arena,
    /// The longest known list of each session.
    growing: Vec<List>,
    /// The position in `growing` of each session's list.
    of_session: HashMap<SessionNo, u32>,
    /// Scratch space for the current list.
    shown: Vec<Token>,
    /// The number of tokens in all lists.
    tokens: usize,
}

/// Everything that operations found.
#[derive(Debug, Default)]
pub(super) struct Arena {
    tokens: Vec<Token>,
    /// Where each read's list starts, by list number.
    starts: Vec<u32>,
}

/// A list shared by the reads of one session.
#[derive(Debug, Default)]
struct List {
    number: u32,
    first: Token,
    tokens: Vec<Token>,
    /// Its encoded tokens after the first one. (The first is encoded relative to the read's number, so it differs
    /// between reads.)
    encoded: Vec<u8>,
}

impl Lists {
    /// The number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Takes the lists that `told` locates in `body`, and adds to `places` what [`Arena::settle`] needs to find each.
    pub fn take(&mut self, told: &[Told], body: &[u8], places: &mut Vec<u32>) -> Result<(), Unreadable> {
        let mut known = Vec::with_capacity(TOGETHER);
        for together in told.chunks(TOGETHER) {
            known.clear();
            known.extend(together.iter().map(|told| self.known(told)));
            // Sessions come in random order, so most lists are no longer in the CPU cache. This loop fetches them in
            // parallel; the comparisons below would fetch them one at a time.
            let ends = |&list: &u32| {
                let encoded = &self.growing[list as usize].encoded;
                u32::from(*encoded.first().unwrap_or(&0)) + u32::from(*encoded.last().unwrap_or(&0))
            };
            black_box(known.iter().map(ends).sum::<u32>());
            for (told, &list) in together.iter().zip(&known) {
                let mut rest = &body[told.begin as usize..told.end as usize];
                let first = take_token(&mut rest, told.index.wrapping_add(1))?;
                let shared = told.shared;
                places.push(if shared { self.share(list as usize, first, rest)? } else { self.add(first, rest)? });
            }
        }
        Ok(())
    }

    /// Moves the lists that are still growing to the arena.
    pub fn finish(mut self) -> Result<Arena, Unreadable> {
        for list in self.growing {
            self.arena.keep(&list)?;
        }
        Ok(self.arena)
    }

    /// The position of the list of the session in `told`.
    fn known(&mut self, told: &Told) -> u32 {
        *self.of_session.entry(told.session).or_insert_with(|| {
            self.growing.push(List::default());
            self.growing.len() as u32 - 1
        })
    }

    /// Adds an unshared list and returns its position.
    fn add(&mut self, first: Token, encoded: &[u8]) -> Result<u32, Unreadable> {
        self.shown.clear();
        push_all(&mut self.shown, first, encoded)?;
        self.tokens += self.shown.len();
        self.arena.add(&self.shown)
    }

    /// Lets a read share its session's list as far as both agree, and returns the list's number.
    fn share(&mut self, list: usize, first: Token, encoded: &[u8]) -> Result<u32, Unreadable> {
        let list = &mut self.growing[list];
        if list.first == first
            && let Some(&last) = list.tokens.last()
            && let Some(new) = encoded.strip_prefix(&list.encoded[..])
        {
            if !new.is_empty() {
                let known = list.tokens.len();
                push_more(&mut list.tokens, last, new)?;
                list.encoded.extend_from_slice(new);
                self.tokens += list.tokens.len() - known;
            }
            return Ok(list.number);
        }
        self.shown.clear();
        push_all(&mut self.shown, first, encoded)?;
        if !list.tokens.starts_with(&self.shown) {
            self.arena.keep(list)?;
            list.number = self.arena.starts.len() as u32;
            self.arena.starts.push(0);
            list.first = first;
            list.tokens.clone_from(&self.shown);
            list.encoded.clear();
            list.encoded.extend_from_slice(encoded);
            self.tokens += self.shown.len();
        }
        Ok(list.number)
    }
}

impl Arena {
    /// All tokens in one vector.
    pub fn into_tokens(self) -> Vec<Token> {
        self.tokens
    }

    /// Sets the start of an operation's tokens, which so far holds only the value from [`Lists::take`].
    pub fn settle(&self, op: &mut OpRecord) {
        if op.kind == OpKind::Read && op.tokens_len > 0 {
            op.tokens_at = self.starts[op.tokens_at as usize];
        }
    }

    /// Stores a list that will not grow any more.
    fn keep(&mut self, list: &List) -> Result<(), Unreadable> {
        if !list.tokens.is_empty() {
            self.starts[list.number as usize] = self.add(&list.tokens)?;
        }
        Ok(())
    }

    fn add(&mut self, tokens: &[Token]) -> Result<u32, Unreadable> {
        let at = u32::try_from(self.tokens.len()).map_err(|_| Unreadable::TooLarge)?;
        self.tokens.extend_from_slice(tokens);
        Ok(at)
    }
}

/// Appends `first` and the encoded tokens after it.
fn push_all(tokens: &mut Vec<Token>, first: Token, encoded: &[u8]) -> Result<(), Unreadable> {
    tokens.push(first);
    push_more(tokens, first, encoded)
}

/// Appends the encoded tokens after `last`.
fn push_more(tokens: &mut Vec<Token>, mut last: Token, mut encoded: &[u8]) -> Result<(), Unreadable> {
    while !encoded.is_empty() {
        last = take_token(&mut encoded, last)?;
        tokens.push(last);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::OpBatch;
    use crate::history::codec::{Previous, decode, encode};
    use crate::history::testing::read;

    /// One session's operations, mostly reads with an occasional award, that found these tokens.
    fn taken(shown: &[&[Token]]) -> OpBatch {
        let (mut body, mut previous) = (Vec::new(), Previous::default());
        for (index, tokens) in shown.iter().enumerate() {
            let kind = if index % 5 == 4 { OpKind::Award } else { OpKind::Read };
            let op = OpRecord { index: index as u64, kind, tokens_len: tokens.len() as u32, ..read(0..1) };
            encode(&op, tokens, &mut previous, &mut body);
        }
        let (mut ops, mut told, mut places, mut lists) = (Vec::new(), Vec::new(), Vec::new(), Lists::default());
        decode(&body, &mut ops, &mut told, |_| true).unwrap();
        lists.take(&told, &body, &mut places).unwrap();
        let (counted, arena) = (lists.tokens(), lists.finish().unwrap());
        for (told, place) in told.iter().zip(places) {
            ops[told.op as usize].tokens_at = place;
        }
        ops.iter_mut().for_each(|op| arena.settle(op));
        let tokens = arena.into_tokens();
        assert_eq!(tokens.len(), counted);
        OpBatch { ops, tokens }
    }

    #[test]
    fn reads_of_a_session_that_show_the_same_or_more_share_the_memory() {
        let batch = taken(&[&[1, 2, 3], &[1, 2, 3, 4], &[1, 2], &[1, 2, 3, 4, 5], &[2], &[1, 9], &[1, 9, 10]]);
        let places: Vec<u32> = batch.ops.iter().map(|op| op.tokens_at).collect();
        assert_eq!(batch.tokens, [2, 1, 2, 3, 4, 5, 1, 9, 10]);
        assert_eq!(places, [1, 1, 1, 1, 0, 6, 6]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_operations_found_is_there(
            shown in proptest::collection::vec(proptest::collection::vec(1..4u64, 0..5), 0..40)
        ) {
            let shown: Vec<&[Token]> = shown.iter().map(Vec::as_slice).collect();
            let batch = taken(&shown);
            let lists: Vec<&[Token]> = batch.ops.iter().map(|op| batch.tokens_of(op)).collect();
            proptest::prop_assert_eq!(lists, shown);
        }
    }
}
