//! Whole numbers in as few bytes as they need: seven bits per byte, lowest first, the top bit set on all but the last
//! (LEB128, as in Protocol Buffers). Signed numbers are zigzag-folded first: 0, -1, 1, -2 … become 0, 1, 2, 3 …

/// The maximum length in bytes.
pub(super) const MAX_LEN: usize = 10;

/// Writes `value` at `at` in `out`, which must have room for [`MAX_LEN`] bytes there, and returns where it ends.
#[inline]
pub(super) fn put(out: &mut [u8], mut at: usize, mut value: u64) -> usize {
    while value >= 0x80 {
        out[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    out[at] = value as u8;
    at + 1
}

/// Folds a signed number so that small magnitudes are small.
#[inline]
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Undoes [`zigzag`].
#[inline]
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Takes a number from the front of `bytes`. `None` if the bytes end within it or it does not fit in 64 bits.
#[inline]
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    // Nearly all numbers in a history take at most three bytes.
    let (value, rest) = match **bytes {
        [a @ ..0x80, ref rest @ ..] => (u64::from(a), rest),
        [a, b @ ..0x80, ref rest @ ..] => (u64::from(a & 0x7f) | u64::from(b) << 7, rest),
        [a, b, c @ ..0x80, ref rest @ ..] => {
            (u64::from(a & 0x7f) | u64::from(b & 0x7f) << 7 | u64::from(c) << 14, rest)
        }
        _ => return take_long(bytes),
    };
    *bytes = rest;
    Some(value)
}

/// Like [`take`], for numbers of any length.
fn take_long(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().enumerate().take(MAX_LEN) {
        let bits = u64::from(byte & 0x7f);
        if i == MAX_LEN - 1 && bits > 1 {
            return None;
        }
        value |= bits << (7 * i);
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Some(value);
        }
    }
    None
}

/// Skips this many numbers at the front of `bytes`, that is, as many bytes without the top bit. `None` if there are
/// fewer.
#[inline]
pub(super) fn skip(bytes: &mut &[u8], mut numbers: usize) -> Option<()> {
    const AT_ONCE: usize = 8;
    while numbers >= AT_ONCE
        && let Some((chunk, rest)) = bytes.split_first_chunk::<AT_ONCE>()
    {
        numbers -= usize::from(chunk.iter().map(|&byte| u8::from(byte < 0x80)).sum::<u8>());
        *bytes = rest;
    }
    while numbers > 0 {
        let (&byte, rest) = bytes.split_first()?;
        numbers -= usize::from(byte < 0x80);
        *bytes = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(value: u64) -> Vec<u8> {
        let mut out = [0; MAX_LEN];
        let end = put(&mut out, 0, value);
        out[..end].to_vec()
    }

    #[test]
    fn small_numbers_take_one_byte_and_the_largest_ten() {
        assert_eq!(bytes_of(0), [0]);
        assert_eq!(bytes_of(127), [127]);
        assert_eq!(bytes_of(300), [0b1010_1100, 0b10]);
        assert_eq!(bytes_of(u64::MAX), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn every_number_comes_back() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, u64::from(u32::MAX), u64::MAX - 1, u64::MAX]
        {
            let bytes = bytes_of(value);
            let mut rest = &bytes[..];
            assert_eq!(take(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn numbers_left_out_are_those_that_would_have_been_taken() {
        let numbers = (0..40u64).map(|number| number << number);
        let bytes: Vec<u8> = numbers.flat_map(bytes_of).collect();
        for count in 0..=40 {
            let (mut taken, mut skipped) = (&bytes[..], &bytes[..]);
            (0..count).for_each(|_| assert!(take(&mut taken).is_some()));
            assert_eq!(skip(&mut skipped, count), Some(()));
            assert_eq!(skipped.len(), taken.len());
        }
        assert_eq!(skip(&mut &bytes[..], 41), None);
    }

    #[test]
    fn signed_numbers_fold_to_small_ones_and_back() {
        assert_eq!([0, -1, 1, -2, 2].map(zigzag), [0, 1, 2, 3, 4]);
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn a_number_cut_short_or_too_long_is_refused() {
        assert_eq!(take(&mut &[0x80][..]), None);
        assert_eq!(take(&mut &[][..]), None);
        assert_eq!(take(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..]), None);
        assert_eq!(take(&mut &[0xff; 11][..]), None);
    }
}
