//! Keys and values of the `redis` target. A value is a fixed-width header, `<session> <token> ` in decimal digits,
//! followed by filler up to the requested size.

use crate::history::{SessionNo, Token};

const OWNER_DIGITS: usize = 10;
const TOKEN_DIGITS: usize = 20;

/// Length of a value's header, and therefore of the smallest value.
const HEAD: usize = OWNER_DIGITS + 1 + TOKEN_DIGITS + 1;

const FILLER: [u8; 4096] = filler();

/// Printable and without repeats, so that a snapshot does not compress a value of up to 4 KiB. Longer values repeat it.
const fn filler() -> [u8; 4096] {
    let mut bytes = [0; 4096];
    let mut state: u32 = 0x2545_F491;
    let mut place = 0;
    while place < bytes.len() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes[place] = b'!' + (state % 94) as u8;
        place += 1;
    }
    bytes
}

/// Appends the key of a session as a bulk string.
pub(super) fn write_key(request: &mut Vec<u8>, prefix: &str, session: SessionNo) {
    write_length(request, prefix.len() + OWNER_DIGITS);
    write_name(request, prefix, session);
    request.extend_from_slice(b"\r\n");
}

/// Appends the key of a session.
pub(super) fn write_name(text: &mut Vec<u8>, prefix: &str, session: SessionNo) {
    text.extend_from_slice(prefix.as_bytes());
    text.extend_from_slice(&digits::<OWNER_DIGITS>(u64::from(session)));
}

/// Appends a value of `size` bytes (at least the header's) as a bulk string.
pub(super) fn write_value(request: &mut Vec<u8>, session: SessionNo, token: Token, size: usize) {
    write_length(request, size.max(HEAD));
    request.extend_from_slice(&digits::<OWNER_DIGITS>(u64::from(session)));
    request.push(b' ');
    request.extend_from_slice(&digits::<TOKEN_DIGITS>(token));
    request.push(b' ');
    let mut missing = size.saturating_sub(HEAD);
    while missing > 0 {
        let part = missing.min(FILLER.len());
        request.extend_from_slice(&FILLER[..part]);
        missing -= part;
    }
    request.extend_from_slice(b"\r\n");
}

/// The session and the token in a value; `None` if the value is not ours.
pub(super) fn read_head(value: &[u8]) -> Option<(SessionNo, Token)> {
    let head = value.get(..HEAD)?;
    let (owner, token) = head.split_at(OWNER_DIGITS + 1);
    let owner = number(owner.strip_suffix(b" ")?)?;
    let token = number(token.strip_suffix(b" ")?)?;
    Some((SessionNo::try_from(owner).ok()?, token))
}

/// The token that a value is which is nothing else; `None` if it is not a number.
pub(super) fn read_token(value: &[u8]) -> Option<Token> {
    (!value.is_empty()).then(|| number(value))?
}

/// Appends the length of a bulk string.
pub(super) fn write_length(request: &mut Vec<u8>, length: usize) {
    let digits = digits::<TOKEN_DIGITS>(length as u64);
    let first = digits.iter().position(|&digit| digit != b'0').unwrap_or(TOKEN_DIGITS - 1);
    request.push(b'$');
    request.extend_from_slice(&digits[first..]);
    request.extend_from_slice(b"\r\n");
}

/// The last `N` decimal digits of `number`, with leading zeros.
fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(size: usize) -> Vec<u8> {
        let mut request = Vec::new();
        write_value(&mut request, 42, 1234, size);
        request
    }

    #[test]
    fn a_key_is_the_prefix_and_ten_digits() {
        let mut request = Vec::new();
        write_key(&mut request, "drill:", 42);
        assert_eq!(request, b"$16\r\ndrill:0000000042\r\n");
    }

    #[test]
    fn a_value_has_the_size_asked_for_and_tells_session_and_token() {
        for size in [32, 33, 1024, 50_000] {
            let request = value(size);
            let value = request.splitn(2, |&byte| byte == b'\n').nth(1).unwrap().strip_suffix(b"\r\n").unwrap();
            assert!(request.starts_with(format!("${size}\r\n0000000042 00000000000000001234 ").as_bytes()));
            assert_eq!(value.len(), size);
            assert_eq!(read_head(value), Some((42, 1234)));
        }
    }

    #[test]
    fn a_value_is_never_smaller_than_its_head() {
        assert_eq!(value(0), b"$32\r\n0000000042 00000000000000001234 \r\n");
    }

    #[test]
    fn a_value_of_somebody_else_has_no_head() {
        assert_eq!(read_head(b""), None);
        assert_eq!(read_head(b"{\"user\": \"an object of some other application\"}"), None);
        assert_eq!(read_head(b"9999999999 00000000000000001234 "), None);
        assert_eq!(read_head(b"0000000042 99999999999999999999 "), None);
    }

    #[test]
    fn the_largest_numbers_fit() {
        let mut request = Vec::new();
        write_value(&mut request, SessionNo::MAX, Token::MAX, 0);
        assert_eq!(request, b"$32\r\n4294967295 18446744073709551615 \r\n");
    }
}
