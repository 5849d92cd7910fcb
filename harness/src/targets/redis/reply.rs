//! The RESP2 replies to GET, SET, DEL, TOUCH, AUTH and SELECT
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

use std::ops::Range;

/// A whole reply. Texts are ranges of the bytes the reply was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// `+OK`
    Status,
    /// `-READONLY You can't write against a read only replica.`, without the minus sign
    Error(Range<usize>),
    /// `:1`
    Integer(i64),
    /// A value.
    Bulk(Range<usize>),
    /// No such key.
    Nil,
}

/// The state of the bytes received so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Exactly one reply.
    Whole(Reply),
    /// The start of a reply; at least this many bytes are needed in total.
    Part(usize),
    /// Not a reply, or more than one.
    Malformed,
}

/// The longest value Redis can hold: 512 MiB.
const LONGEST: i64 = 512 << 20;

/// Parses the reply in `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some(&kind) = bytes.first() else { return Parsed::Part(1) };
    let Some(line_end) = bytes.iter().position(|&byte| byte == b'\n') else { return Parsed::Part(bytes.len() + 1) };
    let Some(line) = bytes[1..line_end].strip_suffix(b"\r") else { return Parsed::Malformed };
    let end = line_end + 1;
    let reply = match kind {
        b'+' => Reply::Status,
        b'-' => Reply::Error(1..1 + line.len()),
        b':' => match integer(line) {
            Some(number) => Reply::Integer(number),
            None => return Parsed::Malformed,
        },
        b'$' => match integer(line) {
            Some(-1) => Reply::Nil,
            Some(length @ 0..=LONGEST) => return bulk(bytes, end, length as usize),
            _ => return Parsed::Malformed,
        },
        _ => return Parsed::Malformed,
    };
    if bytes.len() == end { Parsed::Whole(reply) } else { Parsed::Malformed }
}

fn bulk(bytes: &[u8], start: usize, length: usize) -> Parsed {
    let end = start + length;
    match bytes.get(end..end + 2) {
        None => Parsed::Part(end + 2),
        Some(b"\r\n") if bytes.len() == end + 2 => Parsed::Whole(Reply::Bulk(start..end)),
        Some(_) => Parsed::Malformed,
    }
}

fn integer(line: &[u8]) -> Option<i64> {
    let (sign, digits) = match line.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, line),
    };
    let number = digits.iter().try_fold(0i64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    (!digits.is_empty()).then_some(sign * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_reply_is_read() {
        let whole = [
            (b"+OK\r\n".as_slice(), Reply::Status),
            (b"-OOM command\r\n", Reply::Error(1..12)),
            (b":1\r\n", Reply::Integer(1)),
            (b":-20\r\n", Reply::Integer(-20)),
            (b"$-1\r\n", Reply::Nil),
            (b"$0\r\n\r\n", Reply::Bulk(4..4)),
            (b"$5\r\nhe\r\nl\r\n", Reply::Bulk(4..9)),
        ];
        for (bytes, reply) in whole {
            assert_eq!(parse(bytes), Parsed::Whole(reply));
        }
    }

    #[test]
    fn every_beginning_of_a_reply_asks_for_more_and_for_no_more_than_there_will_be() {
        let whole = b"$5\r\nhello\r\n";
        for length in 0..whole.len() {
            match parse(&whole[..length]) {
                Parsed::Part(needed) => assert!((length + 1..=whole.len()).contains(&needed), "{length}: {needed}"),
                other => panic!("{length}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_reply_and_what_follows_one_is_malformed() {
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\n".as_slice(),
            b"+OK\n",
            b":one\r\n",
            b":\r\n",
            b"$-2\r\n",
            b"$9000000000000000000\r\n",
            b"*1\r\n",
            b"$1\r\nabc",
            b"+OK\r\n+OK\r\n",
        ] {
            assert_eq!(parse(bytes), Parsed::Malformed, "{:?}", std::str::from_utf8(bytes));
        }
    }
}
