//! Finds where messages end in a stream of RESP, the protocol of Redis, versions 2 and 3
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>). Payloads are skipped, never copied; only the
//! first words of a command are kept.

/// Words kept of a command. The longest names are those of scripts (`FCALL name`) and containers
/// (`CLIENT SETINFO key`).
const WORDS: usize = 3;

/// Bytes kept of a word: an `EVALSHA` digest has 40.
const WORD: usize = 64;

/// Longer than any header line (`*3`, `$1024`), which contains a number of at most 64 bits.
const HEADER: usize = 32;

/// Aggregates within aggregates: a line of four bytes opens one, and each takes memory until it ends.
const DEPTH: usize = 128;

/// How far a message has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// It ends before this byte of the input.
    Ends(usize),
    /// The whole input belongs to it, and there is more to come.
    Open,
    /// The input is not RESP, or an unsupported form of it.
    Garbled,
}

/// Reads one message after another.
#[derive(Debug, Default)]
pub(super) struct Framer {
    state: State,
    /// The missing elements of each open aggregate, the outermost first.
    open: Vec<Aggregate>,
    line: Vec<u8>,
    /// What is known about the current message.
    message: Message,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of an element.
    #[default]
    Start,
    /// In the first line of an element of this type.
    Line(u8),
    /// In a payload that lacks this many bytes, including its line end.
    Payload(u64),
}

#[derive(Debug, Clone, Copy)]
struct Aggregate {
    missing: u64,
    /// An attribute describes the element after it and is not an element itself. Before a whole message, it is read as one of
    /// its own: what it describes may come much later.
    attribute: bool,
}

/// A message, as far as it has been read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Its first byte.
    pub kind: u8,
    /// The first words of a command, each truncated.
    pub words: Vec<Vec<u8>>,
    /// Whether nothing that is still to come changes the words.
    settled: bool,
}

impl Message {
    /// Whether all words to be kept have been read. A word longer than its kept part may go on for a long time, so
    /// later words are neither waited for nor kept.
    pub fn is_known(&self) -> bool {
        self.settled
    }

    /// Whether it is a list or a line, as commands are.
    pub fn is_command(&self) -> bool {
        self.kind == b'*' || !is_type(self.kind)
    }
}

impl Framer {
    /// Whether the next byte starts a message.
    pub fn between(&self) -> bool {
        self.state == State::Start && self.open.is_empty()
    }

    /// The current message, or else the last one.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Continues to read until the message ends.
    pub fn read(&mut self, bytes: &[u8]) -> Read {
        if self.between() {
            self.message = Message::default();
        }
        let mut at = 0;
        while at < bytes.len() {
            let done = match self.state {
                State::Start => {
                    let kind = bytes[at];
                    match self.open.len() {
                        0 => {
                            self.message.kind = kind;
                            self.message.settled = !self.message.is_command();
                        }
                        // Lines without a type are whole messages.
                        _ if !is_type(kind) => return Read::Garbled,
                        // A command is a list of strings.
                        1 => self.message.settled |= kind != b'$',
                        _ => {}
                    }
                    self.line.clear();
                    self.state = State::Line(kind);
                    // An inline command has no type byte: its first byte is part of it.
                    at += usize::from(is_type(kind));
                    false
                }
                State::Line(kind) => {
                    let end = bytes[at..].iter().position(|byte| *byte == b'\n');
                    let piece = &bytes[at..end.map_or(bytes.len(), |end| at + end)];
                    let room = if is_type(kind) { HEADER } else { WORDS * WORD };
                    self.line.extend(piece.iter().take(room.saturating_sub(self.line.len())));
                    at += piece.len();
                    let too_long = self.line.len() >= room;
                    if too_long && has_number(kind) {
                        return Read::Garbled;
                    }
                    if end.is_none() {
                        if too_long && !is_type(kind) {
                            // An inline command may go on for a long time; these words will not change.
                            self.message.words = self.inline_words();
                            self.message.settled = true;
                        }
                        return Read::Open;
                    }
                    at += 1;
                    match self.line_ended(kind) {
                        Some(done) => done,
                        None => return Read::Garbled,
                    }
                }
                State::Payload(missing) => {
                    let taken = missing.min((bytes.len() - at) as u64);
                    let left = missing - taken;
                    self.keep(&bytes[at..at + taken as usize], left);
                    at += taken as usize;
                    self.state = State::Payload(left);
                    left == 0 && self.element_ended()
                }
            };
            if done {
                self.message.settled = true;
                return Read::Ends(at);
            }
        }
        Read::Open
    }

    /// Returns whether the message is complete; `None` if the line is invalid.
    fn line_ended(&mut self, kind: u8) -> Option<bool> {
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Some(match kind {
            b'+' | b'-' | b':' | b',' | b'#' | b'_' | b'(' => self.element_ended(),
            b'$' | b'!' | b'=' => match self.number()? {
                // Null, which is no word.
                ..0 => {
                    self.message.settled |= self.open.len() == 1;
                    self.element_ended()
                }
                length => {
                    self.state = State::Payload(length as u64 + 2);
                    self.begin_word();
                    false
                }
            },
            b'*' | b'~' | b'>' => self.aggregate(self.number()?, false)?,
            b'%' => self.aggregate(self.number()?.checked_mul(2)?, false)?,
            b'|' => self.aggregate(self.number()?.checked_mul(2)?, true)?,
            _ => {
                self.message.words = self.inline_words();
                self.element_ended()
            }
        })
    }

    fn inline_words(&self) -> Vec<Vec<u8>> {
        let words = self.line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.take(WORDS).map(<[u8]>::to_vec).collect()
    }

    fn number(&self) -> Option<i64> {
        std::str::from_utf8(&self.line).ok()?.parse().ok()
    }

    /// Returns whether the message is complete; `None` if it is nested too deeply.
    fn aggregate(&mut self, elements: i64, attribute: bool) -> Option<bool> {
        self.state = State::Start;
        if elements > 0 {
            let room = self.open.len() < DEPTH;
            return room.then(|| {
                self.open.push(Aggregate { missing: elements as u64, attribute });
                false
            });
        }
        Some(if attribute { self.open.is_empty() } else { self.element_ended() })
    }

    /// Returns whether this completes the message.
    fn element_ended(&mut self) -> bool {
        self.state = State::Start;
        while let Some(last) = self.open.last_mut() {
            last.missing -= 1;
            if last.missing > 0 {
                return false;
            }
            let attribute = last.attribute;
            self.open.pop();
            if attribute {
                return self.open.is_empty();
            }
        }
        true
    }

    fn begin_word(&mut self) {
        if self.open.len() == 1 && !self.message.settled {
            self.message.words.push(Vec::new());
        }
    }

    /// Keeps `piece` of a payload that has `left` more bytes after it.
    fn keep(&mut self, piece: &[u8], left: u64) {
        if self.open.len() != 1 || self.message.settled {
            return;
        }
        let Some(word) = self.message.words.last_mut() else { return };
        // The last two bytes of a payload are its line end.
        let text = piece.len() - (2u64.saturating_sub(left) as usize).min(piece.len());
        word.extend(piece[..text].iter().take(WORD - word.len()));
        let cut = word.len() >= WORD;
        self.message.settled = cut || (left == 0 && self.message.words.len() >= WORDS);
    }
}

/// Whether the first line of an element of this type is a number, a length or a count.
fn has_number(kind: u8) -> bool {
    b"$!=*~>%|".contains(&kind)
}

fn is_type(byte: u8) -> bool {
    b"+-:,#_($!=*~>%|".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The end of each message in `bytes`, given in pieces of `size` bytes, and the words of each message.
    fn messages(bytes: &[u8], size: usize) -> (Vec<usize>, Vec<Vec<String>>) {
        let (mut framer, mut ends, mut words) = (Framer::default(), Vec::new(), Vec::new());
        let mut given = 0;
        for piece in bytes.chunks(size) {
            let mut at = 0;
            while at < piece.len() {
                match framer.read(&piece[at..]) {
                    Read::Ends(end) => {
                        at += end;
                        ends.push(given + at);
                        let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
                        words.push(framer.message().words.iter().map(text).collect());
                    }
                    Read::Open => break,
                    Read::Garbled => return (Vec::new(), Vec::new()),
                }
            }
            given += piece.len();
        }
        (ends, words)
    }

    #[test]
    fn commands_are_separated_however_they_are_cut() {
        let bytes = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\r\nl\r\n*1\r\n$4\r\nPING\r\nGET  k\r\n";
        for size in 1..=bytes.len() {
            let (ends, words) = messages(bytes, size);
            assert_eq!(ends, [31, 45, 53], "in pieces of {size}");
            assert_eq!(words, [vec!["SET", "k", "va\r\nl"], vec!["PING"], vec!["GET", "k"]], "in pieces of {size}");
        }
    }

    #[test]
    fn replies_of_both_versions_are_separated() {
        let replies: &[&[u8]] = &[
            b"+OK\r\n",
            b"-ERR no\r\n",
            b":5\r\n",
            b"$-1\r\n",
            b"$0\r\n\r\n",
            b"*-1\r\n",
            b"*0\r\n",
            b"*2\r\n*1\r\n:1\r\n$2\r\nab\r\n",
            b"_\r\n",
            b"#t\r\n",
            b",1.5\r\n",
            b"(12345678901234567890\r\n",
            b"=7\r\ntxt:abc\r\n",
            b"!3\r\nERR\r\n",
            b"%1\r\n+k\r\n~2\r\n:1\r\n:2\r\n",
            b"|1\r\n+ttl\r\n:3\r\n",
            b"$1\r\nx\r\n",
            b"|0\r\n",
            b"*2\r\n|1\r\n+a\r\n:1\r\n:1\r\n:2\r\n",
            b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n",
        ];
        let ends: Vec<usize> = replies
            .iter()
            .scan(0, |end, reply| {
                *end += reply.len();
                Some(*end)
            })
            .collect();
        let all = replies.concat();
        for size in [1, 2, 3, 7, all.len()] {
            assert_eq!(messages(&all, size).0, ends, "in pieces of {size}");
        }
    }

    #[test]
    fn a_command_is_known_before_its_payload_has_come() {
        let mut framer = Framer::default();
        assert_eq!(framer.read(b"*4\r\n$3\r\nSET\r\n$1\r\nk\r\n"), Read::Open);
        assert!(!framer.message().is_known());
        assert_eq!(framer.read(b"$5\r\nvalue\r\n$90000\r\n"), Read::Open);
        assert!(framer.message().is_known());
    }

    #[test]
    fn an_invalid_header_is_an_error() {
        let endless = format!("$5{}", "0".repeat(40));
        let padded = format!("${}5\r\n", "0".repeat(40));
        for garbled in ["*x\r\n", "$\r\n", "*1\r\nhello\r\n", "%9223372036854775807\r\n", &endless, &padded] {
            assert_eq!(Framer::default().read(garbled.as_bytes()), Read::Garbled, "{garbled}");
        }
    }

    #[test]
    fn long_words_and_lines_are_cut_short() {
        let command = format!("*2\r\n$3\r\nSET\r\n$1000\r\n{}\r\n", "k".repeat(1000));
        let mut framer = Framer::default();
        assert_eq!(framer.read(command.as_bytes()), Read::Ends(command.len()));
        assert_eq!(framer.message().words[1].len(), WORD);
        let line = format!("+{}\r\n", "x".repeat(100_000));
        assert_eq!(Framer::default().read(line.as_bytes()), Read::Ends(line.len()));
    }

    #[test]
    fn an_inline_command_is_known_before_its_line_ends() {
        let mut framer = Framer::default();
        assert_eq!(framer.read(&b"SET k ".repeat(20)), Read::Open);
        assert!(!framer.message().is_known());
        assert_eq!(framer.read(&b"v".repeat(100)), Read::Open);
        assert!(framer.message().is_known());
        assert_eq!(framer.message().words, [b"SET".as_slice(), b"k", b"SET"]);
    }

    #[test]
    fn what_can_be_no_command_is_known_at_once() {
        for begun in ["+OK", "_", "%1\r\n", "*2\r\n:", "*2\r\n$-1\r\n", "*2\r\n*1\r\n"] {
            let mut framer = Framer::default();
            assert_eq!(framer.read(begun.as_bytes()), Read::Open, "{begun}");
            assert!(framer.message().is_known(), "{begun}");
        }
    }

    #[test]
    fn aggregates_within_aggregates_take_memory_only_up_to_a_depth() {
        let nested = |depth: usize| Framer::default().read(&[&b"*1\r\n".repeat(depth)[..], b":1\r\n"].concat());
        assert_eq!((nested(DEPTH), nested(DEPTH + 1)), (Read::Ends(DEPTH * 4 + 4), Read::Garbled));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200), size in 1usize..50) {
            let mut framer = Framer::default();
            'pieces: for piece in bytes.chunks(size) {
                let mut at = 0;
                while at < piece.len() {
                    match framer.read(&piece[at..]) {
                        Read::Ends(end) => {
                            prop_assert!(end > 0 && at + end <= piece.len());
                            at += end;
                        }
                        Read::Open => break,
                        Read::Garbled => break 'pieces,
                    }
                }
            }
        }

        #[test]
        fn any_commands_are_separated_in_any_pieces(
            commands in proptest::collection::vec(proptest::collection::vec("[a-z]{0,9}", 1..6), 1..6),
            size in 1usize..40,
        ) {
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            for words in &commands {
                bytes.extend(format!("*{}\r\n", words.len()).bytes());
                words.iter().for_each(|word| bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes()));
                ends.push(bytes.len());
            }
            let (seen, words) = messages(&bytes, size);
            prop_assert_eq!(seen, ends);
            for (seen, sent) in words.iter().zip(&commands) {
                prop_assert_eq!(&seen[..], &sent[..sent.len().min(WORDS)]);
            }
        }
    }
}
