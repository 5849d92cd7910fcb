//! What can be done to an input.

use proptest::prelude::*;
use proptest::sample::Index;

/// The longest input; repeated pieces would grow without end.
pub(crate) const LONGEST: usize = 64 << 10;

/// Numbers at which something ends.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "00",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "99999999999999999999999999",
    "1e999",
    "-0.0",
];

/// One change. Places are shares of the length that the input has by then.
#[derive(Debug, Clone)]
pub(crate) enum Mutation {
    /// Flips a bit.
    Flip { at: Index, bit: u8 },
    /// Sets a byte.
    Set { at: Index, byte: u8 },
    /// Removes some bytes.
    Remove { at: Index, bytes: usize },
    /// Ends the input.
    Truncate { at: Index },
    /// Repeats a piece.
    Repeat { at: Index, bytes: usize, times: usize },
    /// Inserts one of the format's words.
    Insert { at: Index, word: Index },
    /// Puts a number from [`NUMBERS`] in the place of the next digits.
    Number { at: Index, number: Index },
    /// Puts a piece of another file of the corpus in the place of as many bytes.
    Splice { at: Index, file: Index, from: Index, bytes: usize },
}

/// Any change; the simplest first.
pub(crate) fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set { at, byte }),
        (at(), 1..40_usize).prop_map(|(at, bytes)| Mutation::Remove { at, bytes }),
        at().prop_map(|at| Mutation::Truncate { at }),
        (at(), at()).prop_map(|(at, word)| Mutation::Insert { at, word }),
        (at(), at()).prop_map(|(at, number)| Mutation::Number { at, number }),
        (at(), 1..40_usize, 1..2_000_usize).prop_map(|(at, bytes, times)| Mutation::Repeat { at, bytes, times }),
        (at(), at(), at(), 1..200_usize).prop_map(|(at, file, from, bytes)| Mutation::Splice { at, file, from, bytes }),
    ]
}

/// File number `file` of `files` after `mutations`.
pub(crate) fn mutated(file: usize, mutations: &[Mutation], files: &[&[u8]], words: &[&str]) -> Vec<u8> {
    let mut input = files[file].to_vec();
    for mutation in mutations {
        mutation.apply(&mut input, files, words);
        input.truncate(LONGEST);
    }
    input
}

impl Mutation {
    fn apply(&self, input: &mut Vec<u8>, files: &[&[u8]], words: &[&str]) {
        let end = input.len();
        // The place behind the last byte is one, too.
        let place = |at: &Index| at.index(end + 1);
        let byte = |at: &Index| (end > 0).then(|| at.index(end));
        match self {
            Mutation::Flip { at, bit } => byte(at).into_iter().for_each(|at| input[at] ^= 1 << bit),
            Mutation::Set { at, byte: new } => byte(at).into_iter().for_each(|at| input[at] = *new),
            Mutation::Remove { at, bytes } => {
                let at = place(at);
                input.drain(at..end.min(at + bytes));
            }
            Mutation::Truncate { at } => input.truncate(place(at)),
            Mutation::Repeat { at, bytes, times } => {
                let at = place(at);
                let piece = input[at..end.min(at + bytes)].repeat(*times);
                input.splice(at..at, piece);
            }
            Mutation::Insert { at, word } => {
                if !words.is_empty() {
                    let at = place(at);
                    input.splice(at..at, word.get(words).bytes());
                }
            }
            Mutation::Number { at, number } => {
                let from = place(at);
                let digits = |byte: &u8| byte.is_ascii_digit();
                let Some(begin) = input[from..].iter().position(digits).map(|found| from + found) else { return };
                let length = input[begin..].iter().take_while(|byte| digits(byte)).count();
                input.splice(begin..begin + length, number.get(&NUMBERS).bytes());
            }
            Mutation::Splice { at, file, from, bytes } => {
                let other = file.get(files);
                let (at, from) = (place(at), from.index(other.len() + 1));
                let piece = &other[from..other.len().min(from + bytes)];
                input.splice(at..end.min(at + piece.len()), piece.iter().copied());
            }
        }
    }
}
