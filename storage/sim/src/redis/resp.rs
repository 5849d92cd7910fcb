//! The wire protocol (RESP3), as far as the store's client speaks it: commands arrive as arrays of bulk strings.

/// The reply to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A number.
    Int(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// A short status, such as `OK`.
    Status(String),
    /// An error: its code, a space and a text.
    Error(String),
    /// Several replies.
    Array(Vec<Reply>),
    /// Pairs of replies.
    Map(Vec<(Reply, Reply)>),
    /// A message that is not a reply.
    Push(Vec<Reply>),
}

impl Reply {
    /// `OK`.
    pub fn ok() -> Self {
        Reply::Status("OK".to_owned())
    }

    /// Bytes.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Reply::Bulk(bytes.as_ref().to_vec())
    }

    /// An error.
    pub fn error(text: impl Into<String>) -> Self {
        Reply::Error(text.into())
    }

    /// Appends the wire format.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Reply::Nil => out.extend_from_slice(b"_\r\n"),
            Reply::Int(number) => line(out, b':', &number.to_string()),
            Reply::Bulk(bytes) => {
                line(out, b'$', &bytes.len().to_string());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Reply::Status(text) => line(out, b'+', text),
            Reply::Error(text) => line(out, b'-', text),
            Reply::Array(items) => list(out, b'*', items),
            Reply::Push(items) => list(out, b'>', items),
            Reply::Map(pairs) => {
                line(out, b'%', &pairs.len().to_string());
                for (key, value) in pairs {
                    key.encode(out);
                    value.encode(out);
                }
            }
        }
    }
}

fn line(out: &mut Vec<u8>, kind: u8, text: &str) {
    out.push(kind);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn list(out: &mut Vec<u8>, kind: u8, items: &[Reply]) {
    line(out, kind, &items.len().to_string());
    items.iter().for_each(|item| item.encode(out));
}

/// A command: its name and arguments.
pub type Command = Vec<Vec<u8>>;

/// Takes the next complete command from the front of `buffer`; `None`: more bytes are needed.
pub fn take_command(buffer: &mut Vec<u8>) -> Option<Command> {
    let mut at = 0;
    let count = header(buffer, &mut at, b'*')?;
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let length = header(buffer, &mut at, b'$')?;
        let part = buffer.get(at..at + length)?.to_vec();
        at += length + 2;
        if at > buffer.len() {
            return None;
        }
        parts.push(part);
    }
    buffer.drain(..at);
    Some(parts)
}

fn header(buffer: &[u8], at: &mut usize, kind: u8) -> Option<usize> {
    let rest = buffer.get(*at..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    assert_eq!(rest.first(), Some(&kind), "not a command: {:?}", String::from_utf8_lossy(&rest[..end]));
    let number = std::str::from_utf8(&rest[1..end]).ok()?.parse().ok()?;
    *at += end + 2;
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_taken_whole_and_in_order() {
        let mut buffer = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPI".to_vec();
        assert_eq!(take_command(&mut buffer), Some(vec![b"GET".to_vec(), b"a".to_vec()]));
        assert_eq!(take_command(&mut buffer), None);
        buffer.extend_from_slice(b"NG\r\n");
        assert_eq!(take_command(&mut buffer), Some(vec![b"PING".to_vec()]));
        assert!(buffer.is_empty());
    }

    #[test]
    fn replies_are_encoded_as_resp3() {
        let mut out = Vec::new();
        let nested = Reply::Array(vec![Reply::Int(-2), Reply::Nil, Reply::bulk("a b")]);
        nested.encode(&mut out);
        Reply::Push(vec![Reply::bulk("invalidate")]).encode(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "*3\r\n:-2\r\n_\r\n$3\r\na b\r\n>1\r\n$10\r\ninvalidate\r\n");
    }
}
