//! Reads the replies of a Redis in RESP2 and RESP3
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! Arrays, sets and maps are read as the values in them, one after the other: what an operation wants to know of a reply
//! does not depend on how they are nested. What the server pushes between replies is skipped.

use std::ops::Range;

/// A value of a reply. Texts are ranges of the bytes that the reply was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `+OK`
    Status,
    /// `-READONLY You can't write against a read only replica.`, without the minus sign
    Error(Range<usize>),
    /// `:1`; a boolean is 0 or 1
    Integer(i64),
    /// A text, also a number that is no integer.
    Bulk(Range<usize>),
    /// No such key.
    Nil,
}

/// The state of the bytes received so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A reply, which ends before this byte.
    Whole(usize),
    /// The start of a reply; at least this many bytes are needed in total.
    Part(usize),
    /// Not a reply.
    Malformed,
}

/// The longest value Redis can hold: 512 MiB.
const LONGEST: i64 = 512 << 20;

/// The most elements of an array.
const MOST_ELEMENTS: i64 = 1 << 31;

/// Replies are not nested deeper.
const DEEPEST: usize = 32;

/// Reads the reply at the start of `bytes` and puts its values into `values`, which is emptied first. A single value that is
/// neither nested nor pushed is by far the most frequent.
#[inline]
pub(super) fn parse(bytes: &[u8], values: &mut Vec<Value>) -> Parsed {
    values.clear();
    let mut at = 0;
    while bytes.get(at) == Some(&b'>') {
        match element(bytes, at, &mut None, 0) {
            Ok(end) => at = end,
            Err(stop) => return stop,
        }
    }
    match element(bytes, at, &mut Some(values), 0) {
        Ok(end) => Parsed::Whole(end),
        Err(stop) => stop,
    }
}

/// Reads the element at `at`, and returns where it ends.
fn element(bytes: &[u8], at: usize, values: &mut Option<&mut Vec<Value>>, depth: usize) -> Result<usize, Parsed> {
    let Some(&kind) = bytes.get(at) else { return Err(Parsed::Part(bytes.len() + 1)) };
    let Some(length) = bytes[at..].iter().position(|&byte| byte == b'\n') else {
        return Err(Parsed::Part(bytes.len() + 1));
    };
    let (from, end) = (at + 1, at + length + 1);
    let Some(line) = bytes[from..end - 1].strip_suffix(b"\r") else { return Err(Parsed::Malformed) };
    let number = || integer(line).ok_or(Parsed::Malformed);
    let text = from..from + line.len();
    let value = match kind {
        b'+' => Value::Status,
        b'-' => Value::Error(text),
        b':' => Value::Integer(number()?),
        b',' | b'(' if !line.is_empty() => Value::Bulk(text),
        b'#' if line == b"t" => Value::Integer(1),
        b'#' if line == b"f" => Value::Integer(0),
        b'_' if line.is_empty() => Value::Nil,
        b'$' | b'=' | b'!' => match number()? {
            -1 => Value::Nil,
            length @ 0..=LONGEST => {
                let (text, end) = bulk(bytes, end, length as usize)?;
                let value = match kind {
                    b'!' => Value::Error(text),
                    // Three letters and a colon say what kind of text it is.
                    b'=' => Value::Bulk((text.start + 4).min(text.end)..text.end),
                    _ => Value::Bulk(text),
                };
                return Ok(found(values, value, end));
            }
            _ => return Err(Parsed::Malformed),
        },
        b'*' | b'~' | b'>' | b'%' | b'|' if depth < DEEPEST => match number()? {
            -1 => Value::Nil,
            count @ 0..=MOST_ELEMENTS => {
                let count = if matches!(kind, b'%' | b'|') { 2 * count } else { count };
                return elements(bytes, kind, end, count, values, depth);
            }
            _ => return Err(Parsed::Malformed),
        },
        _ => return Err(Parsed::Malformed),
    };
    Ok(found(values, value, end))
}

fn found(values: &mut Option<&mut Vec<Value>>, value: Value, end: usize) -> usize {
    if let Some(values) = values {
        values.push(value);
    }
    end
}

/// Reads `count` elements from `at` on. Attributes (`|`) are no values; what they are about follows.
fn elements(
    bytes: &[u8],
    kind: u8,
    mut at: usize,
    count: i64,
    values: &mut Option<&mut Vec<Value>>,
    depth: usize,
) -> Result<usize, Parsed> {
    let attributes = kind == b'|';
    for _ in 0..count {
        at =
            if attributes { element(bytes, at, &mut None, depth + 1)? } else { element(bytes, at, values, depth + 1)? };
    }
    if attributes { element(bytes, at, values, depth + 1) } else { Ok(at) }
}

fn bulk(bytes: &[u8], start: usize, length: usize) -> Result<(Range<usize>, usize), Parsed> {
    let end = start + length;
    match bytes.get(end..end + 2) {
        None => Err(Parsed::Part(end + 2)),
        Some(b"\r\n") => Ok((start..end, end + 2)),
        Some(_) => Err(Parsed::Malformed),
    }
}

fn integer(line: &[u8]) -> Option<i64> {
    let (sign, digits) = match line.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, line.strip_prefix(b"+").unwrap_or(line)),
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

    fn read(bytes: &[u8]) -> (Parsed, Vec<Value>) {
        let mut values = vec![Value::Status];
        let parsed = parse(bytes, &mut values);
        (parsed, values)
    }

    #[test]
    fn each_kind_of_reply_is_read() {
        use Value::*;
        let whole: [(&[u8], Vec<Value>); 20] = [
            (b"+OK\r\n", vec![Status]),
            (b"-OOM command\r\n", vec![Error(1..12)]),
            (b":1\r\n", vec![Integer(1)]),
            (b":-20\r\n", vec![Integer(-20)]),
            (b":+20\r\n", vec![Integer(20)]),
            (b"$-1\r\n", vec![Nil]),
            (b"$0\r\n\r\n", vec![Bulk(4..4)]),
            (b"$5\r\nhe\r\nl\r\n", vec![Bulk(4..9)]),
            (b"*-1\r\n", vec![Nil]),
            (b"*0\r\n", vec![]),
            (b"*3\r\n:1\r\n*1\r\n$1\r\na\r\n_\r\n", vec![Integer(1), Bulk(16..17), Nil]),
            (b"%1\r\n+k\r\n$1\r\nv\r\n", vec![Status, Bulk(12..13)]),
            (b"~2\r\n:1\r\n:2\r\n", vec![Integer(1), Integer(2)]),
            (b"#t\r\n", vec![Integer(1)]),
            (b"#f\r\n", vec![Integer(0)]),
            (b",3.25\r\n", vec![Bulk(1..5)]),
            (b"(349\r\n", vec![Bulk(1..4)]),
            (b"=7\r\ntxt:abc\r\n", vec![Bulk(8..11)]),
            (b"!3\r\nERR\r\n", vec![Error(4..7)]),
            (b"|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n", vec![Bulk(18..19)]),
        ];
        for (bytes, values) in whole {
            assert_eq!(read(bytes), (Parsed::Whole(bytes.len()), values), "{:?}", std::str::from_utf8(bytes));
        }
    }

    #[test]
    fn what_the_server_pushes_is_no_reply_and_what_follows_a_reply_is_the_next() {
        let pushed = b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n:7\r\n:8\r\n";
        assert_eq!(read(pushed), (Parsed::Whole(pushed.len() - 4), vec![Value::Integer(7)]));
        assert_eq!(read(b"+OK\r\n+OK\r\n"), (Parsed::Whole(5), vec![Value::Status]));
    }

    #[test]
    fn every_beginning_of_a_reply_asks_for_more_and_for_no_more_than_there_will_be() {
        for whole in
            [&b"$5\r\nhello\r\n"[..], b"*2\r\n$5\r\nhello\r\n%1\r\n+a\r\n:1\r\n", b">1\r\n+x\r\n=5\r\ntxt:a\r\n"]
        {
            for length in 0..whole.len() {
                match read(&whole[..length]).0 {
                    Parsed::Part(needed) => assert!((length + 1..=whole.len()).contains(&needed), "{length}: {needed}"),
                    other => panic!("{length}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_no_reply_is_malformed() {
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\n".as_slice(),
            b"+OK\n",
            b":one\r\n",
            b":\r\n",
            b"#x\r\n",
            b"_1\r\n",
            b"$-2\r\n",
            b"*-2\r\n",
            b"$9000000000000000000\r\n",
            b"$1\r\nabc",
        ] {
            assert_eq!(read(bytes).0, Parsed::Malformed, "{:?}", std::str::from_utf8(bytes));
        }
        let deep = b"*1\r\n".repeat(DEEPEST + 1);
        assert_eq!(read(&deep).0, Parsed::Malformed);
    }
}
