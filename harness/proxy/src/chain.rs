//! The toxics of one link, in order. The chain can be reshaped while it contains data: a removed toxic passes on what
//! it held, in order, and a changed toxic keeps what it holds.

use std::collections::VecDeque;
use std::time::Instant;

use super::toxic::{Chunk, Inbox, Stage, Step, Toxic, ToxicRng, Undo};

/// The most chunks that may wait in one stage; if chunks are small, their number rather than their size takes memory.
const MOST_CHUNKS: usize = 64 * 1024;

/// A toxic that should be active on a link.
pub(crate) struct Wanted {
    pub serial: u64,
    pub toxic: Toxic,
    pub rng: ToxicRng,
}

/// What a reshaped chain releases.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Released {
    /// Chunks that go to the receiver immediately.
    pub chunks: VecDeque<Chunk>,
    /// Whether a removed toxic leaves the connection unable to continue.
    pub close: bool,
}

/// A sequence of stages: data enters at the first and leaves at the last.
#[derive(Default)]
pub(crate) struct Chain {
    stages: Vec<Placed>,
}

struct Placed {
    serial: u64,
    /// `None` for the stage that reads commands, which stays as long as the connection.
    toxic: Option<Toxic>,
    stage: Box<dyn Stage>,
    inbox: Inbox,
}

impl Placed {
    fn new(wanted: Wanted, now: Instant) -> Self {
        let Wanted { serial, toxic, rng } = wanted;
        Self { serial, stage: toxic.stage(rng, now), toxic: Some(toxic), inbox: Inbox::new(now) }
    }

    fn changed(self, wanted: Wanted, now: Instant) -> Self {
        if self.toxic.as_ref() == Some(&wanted.toxic) {
            self
        } else {
            Self { inbox: self.inbox, ..Self::new(wanted, now) }
        }
    }

    fn has_room(&self) -> bool {
        self.inbox.ended().is_none() && self.inbox.held() < self.stage.capacity() && self.inbox.chunks() < MOST_CHUNKS
    }
}

impl Chain {
    /// A chain with `reader` in front of all toxics.
    pub fn read_by(reader: impl Stage + 'static, now: Instant) -> Self {
        let placed = Placed { serial: 0, toxic: None, stage: Box::new(reader), inbox: Inbox::new(now) };
        Self { stages: vec![placed] }
    }

    /// Whether the link has no stages.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether more may be read from the sender.
    pub fn has_room(&self) -> bool {
        self.stages.first().is_some_and(Placed::has_room)
    }

    /// Accepts data read from the sender.
    pub fn push(&mut self, chunk: Chunk, now: Instant) {
        if let Some(first) = self.stages.first_mut() {
            first.inbox.push(chunk, now);
        }
    }

    /// Notes that the sender has ended the stream.
    pub fn end(&mut self, now: Instant) {
        if let Some(first) = self.stages.first_mut() {
            first.inbox.end(now);
        }
    }

    /// The next step at the end of the chain.
    pub fn step(&mut self, now: Instant) -> Step {
        step(&mut self.stages, now)
    }

    /// Bytes waiting in the chain.
    pub fn held(&self) -> u64 {
        self.stages.iter().map(|placed| placed.inbox.held() as u64).sum()
    }

    /// Bytes swallowed since the last call.
    pub fn take_swallowed(&mut self) -> u64 {
        self.stages.iter_mut().map(|placed| placed.inbox.take_swallowed()).sum()
    }

    /// Activates the wanted toxics in order, and removes all others.
    pub fn reshape(&mut self, wanted: Vec<Wanted>, now: Instant) -> Released {
        let mut released = Released::default();
        let mut kept: Vec<Placed> = Vec::new();
        // From last to first: data further along the chain was sent earlier.
        for mut placed in std::mem::take(&mut self.stages).into_iter().rev() {
            if placed.toxic.is_none() || wanted.iter().any(|wanted| wanted.serial == placed.serial) {
                kept.push(placed);
                continue;
            }
            released.close |= placed.stage.undo() == Undo::Close;
            let held = placed.inbox.empty();
            match kept.last_mut() {
                Some(next) => held.into_iter().for_each(|chunk| next.inbox.push(chunk, now)),
                None => released.chunks.extend(held),
            }
        }
        // It was first in the chain, so it was kept last.
        self.stages.extend(kept.pop_if(|placed| placed.toxic.is_none()));
        for wanted in wanted {
            let placed = match kept.iter().position(|placed| placed.serial == wanted.serial) {
                Some(at) => kept.remove(at).changed(wanted, now),
                None => Placed::new(wanted, now),
            };
            self.stages.push(placed);
        }
        released
    }
}

/// The next step at the end of `stages`; a waiting stage is fed by the ones before it.
fn step(stages: &mut [Placed], now: Instant) -> Step {
    let Some((last, before)) = stages.split_last_mut() else { return Step::Wait(None) };
    loop {
        let waiting = match last.stage.step(&mut last.inbox, now) {
            Step::Wait(until) => until,
            other => return other,
        };
        if before.is_empty() || !last.has_room() {
            return Step::Wait(waiting);
        }
        match step(before, now) {
            Step::Pass(chunk) => last.inbox.push(chunk, now),
            Step::End => last.inbox.end(now),
            Step::Close => last.inbox.close(now),
            Step::Wait(fed) => return Step::Wait(earlier(waiting, fed)),
            Step::Reset => return Step::Reset,
        }
    }
}

/// The earlier of two optional instants.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use rand::SeedableRng;

    use super::super::toxic::{Bandwidth, Latency, LimitData, SlowClose, Timeout};
    use super::*;

    fn wanted(serial: u64, toxic: Toxic) -> Wanted {
        Wanted { serial, toxic, rng: ToxicRng::seed_from_u64(serial) }
    }

    fn latency(ms: i64) -> Toxic {
        Latency { latency: ms, jitter: 0 }.into()
    }

    fn chunk(data: &'static str, now: Instant) -> Chunk {
        Chunk { bytes: Bytes::from_static(data.as_bytes()), read: now, entered: now, opens: true }
    }

    fn text(chunks: &VecDeque<Chunk>) -> Vec<&str> {
        chunks.iter().map(|chunk| std::str::from_utf8(&chunk.bytes).unwrap()).collect()
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Steps the chain at `now`; returns the data passed, and the last step.
    fn drain(chain: &mut Chain, now: Instant) -> (String, Step) {
        let mut passed = String::new();
        loop {
            match chain.step(now) {
                Step::Pass(chunk) => passed.push_str(std::str::from_utf8(&chunk.bytes).unwrap()),
                last => return (passed, last),
            }
        }
    }

    #[test]
    fn two_latencies_add_up() {
        let zero = Instant::now();
        let mut chain = Chain::default();
        chain.reshape(vec![wanted(1, latency(100)), wanted(2, latency(50))], zero);
        chain.push(chunk("hello", zero), zero);
        assert_eq!(drain(&mut chain, zero), ("".into(), Step::Wait(Some(zero + ms(100)))));
        assert_eq!(drain(&mut chain, zero + ms(100)), ("".into(), Step::Wait(Some(zero + ms(150)))));
        assert_eq!(drain(&mut chain, zero + ms(150)), ("hello".into(), Step::Wait(None)));
    }

    #[test]
    fn a_removed_toxic_lets_go_at_once_and_in_order() {
        let zero = Instant::now();
        let mut chain = Chain::default();
        chain.reshape(vec![wanted(1, latency(100)), wanted(2, latency(1_000))], zero);
        chain.push(chunk("first", zero), zero);
        assert_eq!(drain(&mut chain, zero + ms(100)).0, "");
        chain.push(chunk("second", zero + ms(110)), zero + ms(110));
        let released = chain.reshape(Vec::new(), zero + ms(120));
        assert_eq!(text(&released.chunks), ["first", "second"]);
        assert!(!released.close && chain.is_empty());
    }

    #[test]
    fn what_a_removed_toxic_held_still_goes_through_the_ones_after_it() {
        let zero = Instant::now();
        let mut chain = Chain::default();
        chain.reshape(vec![wanted(1, latency(1_000)), wanted(2, latency(50))], zero);
        chain.push(chunk("x", zero), zero);
        let released = chain.reshape(vec![wanted(2, latency(50))], zero + ms(10));
        assert!(released.chunks.is_empty());
        assert_eq!(drain(&mut chain, zero + ms(59)).0, "");
        assert_eq!(drain(&mut chain, zero + ms(60)).0, "x");
    }

    #[test]
    fn a_changed_toxic_keeps_what_it_holds() {
        let zero = Instant::now();
        let mut chain = Chain::default();
        chain.reshape(vec![wanted(1, latency(1_000))], zero);
        chain.push(chunk("x", zero), zero);
        assert_eq!(chain.reshape(vec![wanted(1, latency(20))], zero + ms(5)), Released::default());
        assert_eq!(drain(&mut chain, zero + ms(20)).0, "x");
    }

    #[test]
    fn a_stalled_bandwidth_that_is_raised_earns_no_credit_for_the_stall() {
        let zero = Instant::now();
        let rate = |rate| vec![wanted(1, Bandwidth { rate }.into())];
        let mut chain = Chain::default();
        chain.reshape(rate(0), zero);
        chain.push(chunk("0123456789", zero), zero);
        assert_eq!(drain(&mut chain, zero + ms(5_000)).1, Step::Wait(None));
        chain.reshape(rate(1), zero + ms(5_000));
        assert_eq!(drain(&mut chain, zero + ms(5_000)).1, Step::Wait(Some(zero + ms(5_010))));
    }

    #[test]
    fn removing_a_timeout_closes() {
        let zero = Instant::now();
        let mut chain = Chain::default();
        chain.reshape(vec![wanted(1, Timeout { timeout: 0 }.into())], zero);
        assert!(chain.reshape(Vec::new(), zero).close);
    }

    #[test]
    fn an_end_passes_all_stages_and_a_toxic_added_after_it_sees_it() {
        let zero = Instant::now();
        let mut chain = Chain::default();
        chain.reshape(vec![wanted(1, latency(10))], zero);
        chain.end(zero);
        assert_eq!(drain(&mut chain, zero).1, Step::End);
        chain.reshape(vec![wanted(1, latency(10)), wanted(2, SlowClose { delay: 5 }.into())], zero);
        assert_eq!(drain(&mut chain, zero).1, Step::Wait(Some(zero + ms(5))));
        assert_eq!(drain(&mut chain, zero + ms(5)).1, Step::End);
    }

    #[test]
    fn the_sender_is_held_up_when_the_first_stage_is_full() {
        let zero = Instant::now();
        let mut chain = Chain::default();
        chain.reshape(vec![wanted(1, Bandwidth { rate: 1 }.into())], zero);
        assert!(chain.has_room());
        chain.push(Chunk { bytes: Bytes::from(vec![0; 64 * 1024]), ..chunk("", zero) }, zero);
        assert!(!chain.has_room());
    }

    #[test]
    fn a_close_in_an_earlier_stage_comes_after_the_data_before_it() {
        let zero = Instant::now();
        let mut chain = Chain::default();
        let limit = LimitData { bytes: 3 }.into();
        chain.reshape(vec![wanted(1, limit), wanted(2, latency(10))], zero);
        chain.push(chunk("abcdef", zero), zero);
        assert_eq!(drain(&mut chain, zero), ("".into(), Step::Wait(Some(zero + ms(10)))));
        assert_eq!(drain(&mut chain, zero + ms(10)), ("abc".into(), Step::Close));
    }
}
