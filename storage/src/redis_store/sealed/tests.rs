use proptest::prelude::*;

use super::*;
use crate::keyring::KeyRing;
use crate::lineage::Lineage;
use crate::record::timestamp::Timestamp;
use crate::record::trivia::{Answer, TriviaSession, UserId};

fn key(digit: char) -> Key {
    Key::from_hex(&digit.to_string().repeat(64)).unwrap()
}

fn ring(newest: char, old: &[char]) -> std::sync::Arc<Keys> {
    KeyRing::new(key(newest), old.iter().copied().map(key).collect()).now()
}

fn id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

fn at(id: &SessionId) -> Place<'_> {
    Place { prefix: "session:", id }
}

fn data(bytes: usize) -> TriviaSession {
    TriviaSession::sized(id("a"), UserId::Number(7), bytes, Timestamp(0))
}

fn answer(question: u64) -> Answer {
    Answer { question, choice: 1, correct: true, score: 10, answered_at: Timestamp(5) }
}

/// Does what the scripts do: counts the versions, and adds items at the end.
fn stored(keys: &Keys, base: u64, data: &TriviaSession, questions: &[u64]) -> Vec<u8> {
    let mut value = whole(keys, at(&id("a")), "5eed", data, Lineage::random(), 0).unwrap();
    let version = base + questions.len() as u64;
    value[11..27].copy_from_slice(format!("{version:<16}").as_bytes());
    value[61..77].copy_from_slice(format!("{base:<16}").as_bytes());
    for question in questions {
        while value.last() == Some(&b' ') {
            value.pop();
        }
        value.extend(item::<TriviaSession>(keys, at(&id("a")), &answer(*question)).unwrap().0);
        value.extend(b"     ");
    }
    value
}

fn read(keys: &Keys, place: &str, value: &[u8]) -> Result<Stored<TriviaSession>, StoreError> {
    decode(keys, at(&id(place)), value.to_vec())
}

fn reason(read: Result<Stored<TriviaSession>, StoreError>) -> Undecryptable {
    match read {
        Err(StoreError::Undecryptable { reason }) => reason,
        other => panic!("{:?}", other.map(|stored| stored.session)),
    }
}

#[test]
fn a_session_is_read_with_its_appended_items_and_nothing_of_it_is_readable_in_the_value() {
    let keys = ring('1', &[]);
    let value = stored(&keys, 3, &data(1_000), &[8, 5]);
    let found = read(&keys, "a", &value).unwrap();
    let mut expected = data(1_000);
    expected.append(answer(8));
    expected.append(answer(5));
    assert_eq!((found.session.version, found.session.data, found.user.as_str()), (5, expected, "5eed"));
    for word in ["sessionId", "question", "answers", "choice"] {
        assert!(!value.windows(word.len()).any(|part| part == word.as_bytes()), "{word}");
    }
}

#[test]
fn an_item_that_the_base_has_is_not_added_again() {
    let keys = ring('1', &[]);
    let mut played = data(0);
    played.append(answer(1));
    let found = read(&keys, "a", &stored(&keys, 1, &played, &[1, 2])).unwrap().session;
    assert_eq!(found.data.answers, [answer(1), answer(2)]);
}

#[test]
fn an_old_key_opens_and_a_missing_one_is_named() {
    let value = stored(&ring('1', &[]), 1, &data(0), &[1]);
    assert!(read(&ring('2', &['1']), "a", &value).is_ok());
    let missing = reason(read(&ring('2', &[]), "a", &value));
    assert_eq!(missing, Undecryptable::UnknownKey { key: key('1').id() });
    assert!(missing.to_string().contains(&key('1').id().to_string()));
}

#[test]
fn a_value_moved_to_another_session_or_prefix_is_refused() {
    let keys = ring('1', &[]);
    let value = stored(&keys, 1, &data(0), &[]);
    assert_eq!(reason(read(&keys, "b", &value)), Undecryptable::Altered);
    let elsewhere = decode::<TriviaSession>(&keys, Place { prefix: "other:", id: &id("a") }, value.clone());
    assert_eq!(reason(elsewhere), Undecryptable::Altered);
    // The boundary between prefix and id is bound too.
    let shifted = decode::<TriviaSession>(&keys, Place { prefix: "session", id: &id("-a") }, value);
    assert_eq!(reason(shifted), Undecryptable::Altered);
}

#[test]
fn segments_of_other_kinds_and_places_are_refused() {
    let keys = ring('1', &[]);
    let value = stored(&keys, 1, &data(0), &[1]);
    let other = item::<TriviaSession>(&keys, at(&id("b")), &answer(2)).unwrap().0;
    let mut with_foreign = value.trim_ascii_end().to_vec();
    with_foreign[11] = b'3';
    with_foreign.extend(other);
    assert_eq!(reason(read(&keys, "a", &with_foreign)), Undecryptable::Altered);
    let mut uncounted = value.clone();
    uncounted[11] = b'1';
    assert_eq!(reason(read(&keys, "a", &uncounted)), Undecryptable::Malformed);
}

#[test]
fn plain_text_is_refused_unless_it_is_accepted() {
    let plain = br#"{"version":1,"data":{}}"#;
    assert_eq!(reason(read(&ring('1', &[]), "a", plain)), Undecryptable::NotEncrypted);
    let mut value = b"{\"version\":4               ,\"user\":\"ada\",\"data\":".to_vec();
    value.extend(serde_json::to_vec(&data(0)).unwrap());
    value.extend(b"}  ");
    let lenient = KeyRing::new(key('1'), vec![]).accept_plaintext(true).now();
    let found = read(&lenient, "a", &value).unwrap();
    assert_eq!((found.session.version, found.session.data, found.user.as_str()), (4, data(0), "ada"));
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let keys = ring('1', &[]);
    let value = stored(&keys, 9, &data(0), &[1]);
    let whole = read(&keys, "a", &value).unwrap().session.data;
    for bit in 0..value.len() * 8 {
        let mut flipped = value.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refused = read(&keys, "a", &flipped);
        // The lineage changes with every append and is bound to nothing; it reveals nothing about the content.
        let lineage = (36..52).contains(&(bit / 8)) && refused.as_ref().is_ok_and(|read| read.session.data == whole);
        assert!(lineage || matches!(refused, Err(StoreError::Undecryptable { .. })), "bit {bit}");
    }
    for end in 0..value.trim_ascii_end().len() {
        assert!(matches!(read(&keys, "a", &value[..end]), Err(StoreError::Undecryptable { .. })), "cut at {end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_opens_as_it_was(bytes in 0..4_000_usize, base in 1..1_000_u64, questions in 0..12_u64) {
        let keys = ring('1', &['2']);
        let questions: Vec<u64> = (0..questions).collect();
        let found = read(&keys, "a", &stored(&keys, base, &data(bytes), &questions)).unwrap().session;
        let mut expected = data(bytes);
        for question in &questions {
            expected.append(answer(*question));
        }
        prop_assert_eq!((found.version, found.data), (base + questions.len() as u64, expected));
    }

    #[test]
    fn arbitrary_bytes_are_an_error(value in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(read(&ring('1', &[]), "a", &value).is_err());
    }

    /// Closer to the real form than arbitrary bytes ever get.
    #[test]
    fn bytes_behind_a_sound_head_are_an_error(
        version in 0..3_u64,
        kind in prop::sample::select(vec![BASE, ITEM, END]),
        length in prop_oneof![0..100_u32, any::<u32>()],
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut value = format!("{{\"version\":{version:<16},\"line\":\"0000000a0000000b\",\"base\":{:<16},\"sealed\":", 1).into_bytes();
        value.push(kind);
        value.extend(key('1').id().as_bytes());
        value.extend(length.to_be_bytes());
        value.extend(rest);
        let refused = read(&ring('1', &[]), "a", &value);
        let typed = matches!(refused, Err(StoreError::Undecryptable { .. }));
        prop_assert!(typed);
    }

    #[test]
    fn a_damaged_value_is_an_error_or_the_same_session(
        from in any::<prop::sample::Index>(),
        take in 0..40_usize,
        put in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let keys = ring('1', &[]);
        let value = stored(&keys, 2, &data(0), &[1, 2]);
        let from = from.index(value.len());
        let mut damaged = value.clone();
        damaged.splice(from..(from + take).min(value.len()), put);
        if let Ok(found) = read(&keys, "a", &damaged) {
            // Only the room can have changed.
            prop_assert_eq!(found.session, read(&keys, "a", &value).unwrap().session);
        }
    }
}
