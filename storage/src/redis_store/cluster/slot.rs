//! Which of a cluster's 16,384 slots a key is in: CRC-16 (XMODEM) of the key, or of its hash tag, as the Redis Cluster
//! specification defines it.

pub(crate) const SLOTS: usize = 16_384;

/// The slot of a key in a Redis Cluster.
pub fn of(key: &[u8]) -> u16 {
    crc16(tag(key).unwrap_or(key)) % SLOTS as u16
}

/// The text between the first `{` and the first `}` after it, if any.
pub(crate) fn tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')? + 1;
    let length = key[open..].iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| &key[open..open + length])
}

/// Five digits that, at the end of this key, put it into the slot; `None`: none do. A key with a hash tag stays where it
/// is.
pub(crate) fn digits(key: &[u8], slot: u16) -> Option<String> {
    let tagged = tag(key).is_some();
    let begun = crc16(key);
    (0..0x10_0000).map(|number| format!("{number:05x}")).find(|digits| match tagged {
        true => of(key) == slot,
        false => continued(begun, digits.as_bytes()) % SLOTS as u16 == slot,
    })
}

fn crc16(bytes: &[u8]) -> u16 {
    continued(0, bytes)
}

fn continued(crc: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(crc, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked against `CLUSTER KEYSLOT` of Redis 7.0.15.
    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, slot) in [("foo", 12182), ("bar", 5061), ("{foo}bar", 12182), ("a{foo}{bar}", 12182), ("hello", 866)]
        {
            assert_eq!(of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn digits_at_the_end_put_a_key_into_any_slot() {
        for slot in [0, 1, 866, 8_191, 16_383] {
            let digits = digits(b"session:a-", slot).unwrap();
            assert_eq!(of(format!("session:a-{digits}").as_bytes()), slot);
        }
        assert_eq!(digits(b"{foo}a-", 12182), Some("00000".to_owned()));
        assert_eq!(digits(b"{foo}a-", 12183), None);
    }

    #[test]
    fn an_empty_or_open_tag_is_none() {
        assert_eq!(tag(b"a{}b{c}"), None);
        assert_eq!(tag(b"a{b"), None);
        assert_eq!(tag(b"a}b{c}"), Some(b"c".as_slice()));
    }
}
