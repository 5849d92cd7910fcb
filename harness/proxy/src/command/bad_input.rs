//! What the reader of commands makes of anything at all: never something else because it came in other pieces.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::exchange::Exchange;
use super::reader::Reader;
use super::resp::{Framer, Message, Read};
use super::trigger::{Action, Armed, Side, Trigger, TriggerStats, When};
use crate::toxic::{Chunk, Direction, Inbox, Stage as _, Step};

const WORDS: [&str; 26] = [
    "*1\r\n",
    "*3\r\n",
    "*-1\r\n",
    "*0\r\n",
    "$3\r\nSET\r\n",
    "$1\r\nk\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "set a 1\r\n",
    "\r\n",
    "*2\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n",
    "$5\r\nMULTI\r\n",
    "$4\r\nEXEC\r\n",
    "+OK\r\n",
    "-ERR no\r\n",
    ":1\r\n",
    "_\r\n",
    "#t\r\n",
    ",1.5\r\n",
    "%1\r\n",
    "~1\r\n",
    ">1\r\n",
    "|1\r\n+ttl\r\n:3\r\n",
    "=7\r\ntxt:abc\r\n",
    "$?\r\n",
    "\r",
];

/// More than any command needs until it is known: a count, and for each of its first words a length and what is kept of it.
const MOST_HELD: usize = 512;

/// `input` as a network may deliver it: whole, in pieces of one size, and in pieces of any sizes.
fn deliveries(input: &[u8]) -> Vec<Vec<&[u8]>> {
    // What is held is read again with every piece: many small ones of a long input would only take time.
    let sizes = [1, 2, 3, 7, 64, 1_000].into_iter().filter(|size| input.len() / size < 1_000);
    // Nothing at all comes in no piece: an empty one would be the stream's end.
    let mut all: Vec<Vec<&[u8]>> = vec![input.chunks(input.len().max(1)).collect()];
    all.extend(sizes.map(|size| input.chunks(size).collect()));
    let mut hash = DefaultHasher::new();
    input.hash(&mut hash);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(hash.finish());
    let (mut rest, mut pieces) = (input, Vec::new());
    while !rest.is_empty() {
        let size = random.random_range(1..=(rest.len() / 4).max(20)).min(rest.len());
        let (piece, after) = rest.split_at(size);
        pieces.push(piece);
        rest = after;
    }
    all.push(pieces);
    all
}

/// Where a message ends in the stream, and what it is.
type Seen = (usize, Message);

/// The messages of a stream, and whether something else follows them.
fn messages(pieces: &[&[u8]]) -> (Vec<Seen>, bool) {
    let (mut framer, mut found, mut given) = (Framer::default(), Vec::new(), 0);
    for piece in pieces {
        let mut at = 0;
        while at < piece.len() {
            match framer.read(&piece[at..]) {
                Read::Ends(end) => {
                    assert!(end > 0 && at + end <= piece.len());
                    at += end;
                    found.push((given + at, framer.message().clone()));
                }
                Read::Open => break,
                Read::Garbled => return (found, true),
            }
        }
        given += piece.len();
    }
    (found, false)
}

/// What a reader does with a stream.
#[derive(Debug, PartialEq)]
struct Done {
    passed: Vec<u8>,
    reset: bool,
    fired: Vec<TriggerStats>,
}

/// Sends `pieces` through the reader of one direction, with a trigger that fires once and one that only counts.
fn through(direction: Direction, pieces: &[&[u8]]) -> Done {
    let now = Instant::now();
    let trigger = |command: &str, follows: Option<&str>, when| {
        let (command, follows) = (command.parse().unwrap(), follows.map(|command| command.parse().unwrap()));
        let side = if direction == Direction::Upstream { Side::Before } else { Side::Applied };
        Arc::new(Armed::new(1, Trigger { command, follows, when, side, action: Action::Reset }, 7))
    };
    let armed = [trigger("SET", None, When::Nth(2)), trigger("SET k v", Some("SET"), When::Share(0.0))];
    let exchange = Arc::new(Mutex::new(Exchange::default()));
    exchange.lock().arm(armed.to_vec());
    if direction == Direction::Downstream {
        let mut framer = Framer::default();
        for command in [&b"GET k\r\n"[..], b"SET k v\r\n", b"GET k\r\n", b"SET k v\r\n"] {
            framer.read(command);
            exchange.lock().command(framer.message());
        }
    }
    let (mut reader, mut inbox) = (Reader::new(direction, exchange), Inbox::new(now));
    let (mut passed, mut reset) = (Vec::new(), false);
    let mut run = |inbox: &mut Inbox| {
        loop {
            match reader.step(inbox, now) {
                Step::Pass(chunk) => passed.extend_from_slice(&chunk.bytes),
                Step::Wait(_) | Step::End | Step::Close => return false,
                Step::Reset => return true,
            }
        }
    };
    for piece in pieces {
        inbox.push(Chunk { bytes: Bytes::copy_from_slice(piece), read: now, entered: now, opens: false }, now);
        reset = run(&mut inbox);
        if reset {
            break;
        }
        assert!(inbox.held() <= MOST_HELD, "{} bytes wait", inbox.held());
    }
    if !reset {
        inbox.end(now);
        reset = run(&mut inbox);
    }
    Done { passed, reset, fired: armed.iter().map(|armed| armed.stats()).collect() }
}

#[test]
fn any_stream_is_the_same_commands_in_whatever_pieces_it_comes_and_passes_up_to_the_trigger() {
    firedrill_fuzz::fuzz("resp", &WORDS, |input| {
        let deliveries = deliveries(input);
        let (whole, pieces) = deliveries.split_first().unwrap();
        let found = messages(whole);
        for pieces in pieces {
            assert_eq!(messages(pieces), found, "in {} pieces", pieces.len());
        }
        for direction in [Direction::Upstream, Direction::Downstream] {
            let done = through(direction, whole);
            assert!(input.starts_with(&done.passed), "what passes is changed");
            assert!(done.reset || done.passed.len() == input.len(), "something is kept for good");
            for pieces in pieces {
                assert_eq!(through(direction, pieces), done, "{direction:?} in {} pieces", pieces.len());
            }
        }
    });
}
