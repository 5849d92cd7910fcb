//! Measures encrypting and decrypting a stored session, without Redis.

use std::time::{Duration, Instant};

use firedrill_storage::{Key, KeyRing, SessionId, Timestamp, TriviaSession, UserId};

use super::error::MicrobenchError;

/// The number of sessions encrypted or decrypted, one after another.
const ROUNDS: usize = 100;

/// Measures encryption.
pub(super) fn encrypt(bytes: usize) -> Result<Vec<Duration>, MicrobenchError> {
    let Sealable { ring, context, plain } = Sealable::of(bytes)?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let sealed = ring.seal(&context, &plain)?;
        times.push(begun.elapsed());
        drop(sealed);
    }
    Ok(times)
}

/// Measures decryption.
pub(super) fn decrypt(bytes: usize) -> Result<Vec<Duration>, MicrobenchError> {
    let Sealable { ring, context, plain } = Sealable::of(bytes)?;
    let sealed = ring.seal(&context, &plain)?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let opened = ring.open(&context, &sealed);
        times.push(begun.elapsed());
        if opened.as_deref() != Some(&plain[..]) {
            return Err(MicrobenchError::Never("the session that was sealed did not open"));
        }
    }
    Ok(times)
}

/// A serialised session, its key in Redis, and a new encryption key.
struct Sealable {
    ring: KeyRing,
    context: Vec<u8>,
    plain: Vec<u8>,
}

impl Sealable {
    fn of(bytes: usize) -> Result<Self, MicrobenchError> {
        let id = SessionId::random();
        let session = TriviaSession::sized(id.clone(), UserId::anonymous(), bytes, Timestamp::now());
        let digits = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        Ok(Self {
            ring: KeyRing::new(Key::from_hex(&digits)?, Vec::new()),
            context: id.as_str().as_bytes().to_vec(),
            plain: serde_json::to_vec(&session)?,
        })
    }
}
