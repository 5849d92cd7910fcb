//! A command with places for key and value, ready to be sent.

use super::value;
use crate::target::Operation;

/// What a place in a command is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The key of the session: `{{key}}`.
    Key,
    /// The session's number and the operation's token, filled up to the payload's size: `{{value}}`.
    Value,
    /// The operation's token: `{{token}}`.
    Token,
    /// The number of the session: `{{session}}`.
    Session,
    /// `store.ttl` in seconds: `{{store.ttl}}`.
    Ttl,
}

impl Place {
    pub(super) const ALL: [(&'static str, Self); 5] = [
        ("key", Self::Key),
        ("value", Self::Value),
        ("token", Self::Token),
        ("session", Self::Session),
        ("store.ttl", Self::Ttl),
    ];
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Place(Place),
}

/// The parts of `word`.
///
/// # Errors
/// The name of a place that does not exist.
pub(super) fn parts(word: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut rest) = (Vec::new(), word);
    while let Some((text, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        let place = Place::ALL.into_iter().find(|(of, _)| *of == name.trim()).ok_or(name.trim())?;
        parts.push(Part::Place(place.1));
        rest = after;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// A piece of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// As it is sent.
    Bytes(Vec<u8>),
    /// A word that is the session's key.
    Key,
    /// A word that is a value.
    Value,
    /// A word of several parts.
    Mixed(Vec<Part>),
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

impl Template {
    /// The command of these words, which were checked before: what is no place stays as it is. `ttl` is in seconds.
    pub(super) fn new(words: &[String], ttl: u64) -> Self {
        let mut template = Self(Vec::new());
        template.bytes(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            let mut parts = parts(word).unwrap_or_else(|_| vec![Part::Text(word.clone())]);
            for part in &mut parts {
                if *part == Part::Place(Place::Ttl) {
                    *part = Part::Text(ttl.to_string());
                }
            }
            match parts.as_slice() {
                [Part::Place(Place::Key)] => template.0.push(Piece::Key),
                [Part::Place(Place::Value)] => template.0.push(Piece::Value),
                parts if parts.iter().all(|part| matches!(part, Part::Text(_))) => template.word(
                    &parts
                        .iter()
                        .map(|part| if let Part::Text(text) = part { text.as_str() } else { "" })
                        .collect::<String>()
                        .into_bytes(),
                ),
                _ => template.0.push(Piece::Mixed(parts)),
            }
        }
        template
    }

    /// The command that a recording has, whose second word is the key.
    pub(super) fn around_key(words: &[Vec<u8>]) -> Self {
        let mut template = Self(Vec::new());
        template.bytes(format!("*{}\r\n", words.len()).as_bytes());
        for (place, word) in words.iter().enumerate() {
            if place == 1 { template.0.push(Piece::Key) } else { template.word(word) }
        }
        template
    }

    fn word(&mut self, word: &[u8]) {
        let mut bytes = Vec::new();
        value::write_length(&mut bytes, word.len());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
        self.bytes(&bytes);
    }

    fn bytes(&mut self, more: &[u8]) {
        match self.0.last_mut() {
            Some(Piece::Bytes(bytes)) => bytes.extend_from_slice(more),
            _ => self.0.push(Piece::Bytes(more.to_vec())),
        }
    }

    /// Whether a word of it is filled with this.
    pub(super) fn holds(&self, place: Place) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Bytes(_) => false,
            Piece::Key => place == Place::Key,
            Piece::Value => place == Place::Value,
            Piece::Mixed(parts) => parts.contains(&Part::Place(place)),
        })
    }

    /// Appends the key in the command for `op`: what decides its slot in a cluster.
    pub(super) fn write_key(&self, op: &Operation, prefix: &str, key: &mut Vec<u8>) {
        let keyed = |piece: &&Piece| match piece {
            Piece::Key => true,
            Piece::Mixed(parts) => parts.contains(&Part::Place(Place::Key)),
            _ => false,
        };
        match self.0.iter().find(keyed) {
            Some(Piece::Mixed(parts)) => write_mixed(parts, op, prefix, key),
            _ => value::write_name(key, prefix, op.session),
        }
    }

    /// Appends the command for `op` to `request`. Keys start with `prefix`.
    #[inline]
    pub(super) fn encode(&self, op: &Operation, prefix: &str, request: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Bytes(bytes) => request.extend_from_slice(bytes),
                Piece::Key => value::write_key(request, prefix, op.session),
                Piece::Value => value::write_value(request, op.session, op.token(), op.payload_bytes as usize),
                Piece::Mixed(parts) => {
                    let mut word = Vec::new();
                    write_mixed(parts, op, prefix, &mut word);
                    value::write_length(request, word.len());
                    request.extend_from_slice(&word);
                    request.extend_from_slice(b"\r\n");
                }
            }
        }
    }
}

fn write_mixed(parts: &[Part], op: &Operation, prefix: &str, word: &mut Vec<u8>) {
    for part in parts {
        match part {
            Part::Text(text) => word.extend_from_slice(text.as_bytes()),
            Part::Place(Place::Key) => value::write_name(word, prefix, op.session),
            Part::Place(Place::Token) => word.extend_from_slice(op.token().to_string().as_bytes()),
            Part::Place(Place::Session) => word.extend_from_slice(op.session.to_string().as_bytes()),
            // A value stands alone, and the lifetime was filled in before.
            Part::Place(Place::Value | Place::Ttl) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::OpKind;

    fn sent(words: &str) -> String {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let op = Operation { index: 41, kind: OpKind::Put, session: 7, process: 0, payload_bytes: 0 };
        let mut request = Vec::new();
        Template::new(&words, 90).encode(&op, "p:", &mut request);
        String::from_utf8(request).unwrap()
    }

    #[test]
    fn every_place_is_filled_and_the_lengths_are_right() {
        assert_eq!(
            sent("SET {{key}} {{value}} EX {{store.ttl}}"),
            "*5\r\n$3\r\nSET\r\n$12\r\np:0000000007\r\n$32\r\n0000000007 00000000000000000042 \r\n$2\r\nEX\r\n$2\r\n90\r\n"
        );
        assert_eq!(
            sent("ZADD {{key}}:z {{token}} s{{session}}"),
            "*4\r\n$4\r\nZADD\r\n$14\r\np:0000000007:z\r\n$2\r\n42\r\n$2\r\ns7\r\n"
        );
        assert_eq!(sent("PING"), "*1\r\n$4\r\nPING\r\n");
    }

    #[test]
    fn a_place_that_does_not_exist_is_named() {
        assert_eq!(parts("a{{kez}}"), Err("kez".to_owned()));
        assert_eq!(parts("a{{key"), Ok(vec![Part::Text("a{{key".to_owned())]));
    }
}
