//! The ids of a drill's sessions: derived from seed and number, and convertible back into the number, so that a list of ids
//! can be judged without a table.

use crate::history::SessionNo;

/// 2^64 divided by the golden ratio, odd: the step of SplitMix64.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
const FIRST: u64 = 0xBF58_476D_1CE4_E5B9;
const SECOND: u64 = 0x94D0_49BB_1331_11EB;

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over a seed and a position in its sequence.
pub(crate) fn mixed(seed: u64, position: u64) -> u64 {
    let mut z = seed.wrapping_add(position.wrapping_add(1).wrapping_mul(STEP));
    z = (z ^ (z >> 30)).wrapping_mul(FIRST);
    z = (z ^ (z >> 27)).wrapping_mul(SECOND);
    z ^ (z >> 31)
}

/// The position that [`mixed`] made `z` of: each of its steps can be undone.
fn position(seed: u64, mut z: u64) -> u64 {
    z = (z ^ (z >> 31) ^ (z >> 62)).wrapping_mul(const { inverse(SECOND) });
    z = (z ^ (z >> 27) ^ (z >> 54)).wrapping_mul(const { inverse(FIRST) });
    z ^= (z >> 30) ^ (z >> 60);
    z.wrapping_sub(seed).wrapping_mul(const { inverse(STEP) }).wrapping_sub(1)
}

/// What an odd number times itself is 1 with, modulo 2^64: by Newton's method, which doubles the right bits each time.
const fn inverse(odd: u64) -> u64 {
    let mut x = odd; // right in the lowest three bits
    let mut right = 3;
    while right < 64 {
        x = x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x)));
        right *= 2;
    }
    x
}

fn uuid(seed: u64, no: SessionNo) -> uuid::Uuid {
    let mut bytes = [0; 16];
    let position = (1 << 63) | (u64::from(no) << 1);
    bytes[..8].copy_from_slice(&mixed(seed, position).to_be_bytes());
    bytes[8..].copy_from_slice(&mixed(seed, position | 1).to_be_bytes());
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// The id of session `no` in a drill with this seed: a UUID v4 in form, derived and therefore the same in every replay.
pub fn session_id(seed: u64, no: SessionNo) -> String {
    uuid(seed, no).to_string()
}

/// The session that has this id in a drill with this seed; `None` for an id that none has.
pub fn session_no(seed: u64, id: &str) -> Option<SessionNo> {
    let id = uuid::Uuid::try_parse(id).ok()?;
    // The variant replaces the topmost two bits of the lower half.
    let lower = id.as_u128() as u64 & (u64::MAX >> 2);
    (0..4u64).find_map(|top| {
        let position = position(seed, top << 62 | lower);
        let no = SessionNo::try_from((position & (u64::MAX >> 1)) >> 1).ok()?;
        (uuid(seed, no) == id).then_some(no)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_session_id_is_a_version_4_uuid_that_follows_from_seed_and_number() {
        assert_eq!(session_id(42, 7), session_id(42, 7));
        let ids: HashSet<String> = (0..1000).flat_map(|no| [session_id(1, no), session_id(2, no)]).collect();
        assert_eq!(ids.len(), 2000);
        let id = uuid::Uuid::parse_str(&session_id(42, 7)).unwrap();
        assert_eq!((id.get_version_num(), id.get_variant()), (4, uuid::Variant::RFC4122));
    }

    #[test]
    fn an_id_converts_back_into_its_number_and_a_foreign_one_does_not() {
        for seed in [0, 42, u64::MAX] {
            for no in (0..2000).chain([SessionNo::MAX - 1, SessionNo::MAX, 1 << 31]) {
                assert_eq!(session_no(seed, &session_id(seed, no)), Some(no));
                assert_eq!(session_no(seed.wrapping_add(1), &session_id(seed, no)), None);
            }
        }
        for foreign in ["", "no-uuid", "00000000-0000-4000-8000-000000000000"] {
            assert_eq!(session_no(42, foreign), None);
        }
    }
}
