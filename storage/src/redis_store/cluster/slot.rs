//! Which of a cluster's 16,384 slots a key is in: CRC-16 (XMODEM) of the key, or of its hash tag, as the Redis Cluster
//! specification defines it.

pub(crate) const SLOTS: usize = 16_384;

/// The slot of a key.
pub(crate) fn of(key: &[u8]) -> u16 {
    crc16(tag(key).unwrap_or(key)) % SLOTS as u16
}

/// The text between the first `{` and the first `}` after it, if any.
pub(crate) fn tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')? + 1;
    let length = key[open..].iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| &key[open..open + length])
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0_u16, |crc, byte| {
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
    fn an_empty_or_open_tag_is_none() {
        assert_eq!(tag(b"a{}b{c}"), None);
        assert_eq!(tag(b"a{b"), None);
        assert_eq!(tag(b"a}b{c}"), Some(b"c".as_slice()));
    }
}
