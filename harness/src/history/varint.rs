//! Whole numbers in as few bytes as they need: seven bits per byte, lowest first, the top bit set on all but the last
//! (LEB128, as in Protocol Buffers). Signed numbers are zigzag-folded first: 0, -1, 1, -2 … become 0, 1, 2, 3 …

/// Bytes that the longest number takes.
pub(super) const MAX_LEN: usize = 10;

/// Writes `value` at `at` in `out`, which must have [`MAX_LEN`] bytes from there, and says where it ends.
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

/// Takes a number from the front of `bytes`. `None`: the bytes end within it, or it does not fit 64 bits.
#[inline]
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
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
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let bytes = bytes_of(value);
            let mut rest = &bytes[..];
            assert_eq!(take(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
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
