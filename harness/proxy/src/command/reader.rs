//! Reads one direction of a connection message by message, forwards it, and runs the triggers that fire.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::exchange::Exchange;
use super::resp::{Framer, Read};
use super::trigger::{Action, Armed, Side};
use crate::toxic::{Direction, Inbox, Stage, Step, after};

/// The first stage of a direction whose messages are read.
pub(crate) struct Reader {
    direction: Direction,
    exchange: Arc<Mutex<Exchange>>,
    framer: Framer,
    /// Whether the next message has already been accepted, because it was held.
    taken_in: bool,
    effect: Option<Effect>,
}

/// What a fired trigger does to this direction.
enum Effect {
    Reset,
    Silence(Arc<Armed>),
    Hold(Instant),
}

/// What happens to a chunk.
struct Verdict {
    /// The number of bytes to forward.
    pass: usize,
    then: Then,
}

enum Then {
    /// The rest waits for more data.
    More,
    Fire(Arc<Armed>),
    Nothing,
}

impl Reader {
    /// Reads the messages in one direction.
    pub fn new(direction: Direction, exchange: Arc<Mutex<Exchange>>) -> Self {
        Self { direction, exchange, framer: Framer::default(), taken_in: false, effect: None }
    }

    fn look(&mut self, bytes: &[u8]) -> Verdict {
        let exchange = self.exchange.clone();
        let mut exchange = exchange.lock();
        let mut at = 0;
        while at < bytes.len() && !exchange.is_lost() {
            let rest = &bytes[at..];
            if self.framer.between()
                && let Some(verdict) = self.begin(&mut exchange, rest)
            {
                return Verdict { pass: at + verdict.pass, then: verdict.then };
            }
            match self.framer.read(rest) {
                Read::Ends(end) => at += end,
                Read::Open => break,
                Read::Garbled => exchange.lose("this is not RESP"),
            }
        }
        Verdict { pass: bytes.len(), then: Then::Nothing }
    }

    /// Accepts the message that starts with `rest`, and returns what happens instead of forwarding it.
    fn begin(&mut self, exchange: &mut Exchange, rest: &[u8]) -> Option<Verdict> {
        if std::mem::take(&mut self.taken_in) {
            return None;
        }
        let mut ahead = Framer::default();
        let read = ahead.read(rest);
        match self.direction {
            Direction::Upstream => {
                if read == Read::Open && !ahead.message().is_known() {
                    return Some(Verdict { pass: 0, then: Then::More });
                }
                let fires = exchange.command(ahead.message())?;
                self.taken_in = true;
                Some(Verdict { pass: 0, then: Then::Fire(fires) })
            }
            // Pushed by the server, or said about the reply that follows: no command awaits it.
            Direction::Downstream if matches!(rest[0], b'>' | b'|') => None,
            Direction::Downstream => {
                let fires = exchange.reply(rest[0])?;
                if fires.trigger.side == Side::Applied {
                    self.taken_in = true;
                    return Some(Verdict { pass: 0, then: Then::Fire(fires) });
                }
                let there = if let Read::Ends(end) = read { end } else { rest.len() };
                let half = there.div_ceil(2);
                self.framer.read(&rest[..half]);
                Some(Verdict { pass: half, then: Then::Fire(fires) })
            }
        }
    }

    fn fire(&mut self, armed: Arc<Armed>, now: Instant) {
        armed.fire();
        self.effect = Some(match armed.trigger.action {
            Action::Reset => Effect::Reset,
            Action::Silence => Effect::Silence(armed),
            Action::Delay(delay) => Effect::Hold(after(now, delay)),
        });
    }
}

impl Stage for Reader {
    fn step(&mut self, inbox: &mut Inbox, now: Instant) -> Step {
        loop {
            match &self.effect {
                None => {}
                Some(Effect::Reset) => return Step::Reset,
                Some(Effect::Silence(armed)) if self.exchange.lock().has(armed) => {
                    inbox.swallow();
                    return Step::Wait(None);
                }
                Some(Effect::Silence(_)) => return Step::Close,
                Some(Effect::Hold(until)) if now < *until => return Step::Wait(Some(*until)),
                Some(Effect::Hold(_)) => self.effect = None,
            }
            let Some(front) = inbox.front() else { return inbox.forward() };
            let bytes = front.bytes.clone();
            let Verdict { pass, then } = self.look(&bytes);
            let more = matches!(then, Then::More);
            if let Then::Fire(armed) = then {
                self.fire(armed, now);
            }
            if pass > 0 {
                return inbox.forward_at_most(pass);
            }
            if more && !inbox.join() {
                // If the sender ends its stream in the middle of a command, forward what there is.
                return if inbox.ended().is_some() { inbox.forward() } else { Step::Wait(None) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::trigger::{Trigger, When};
    use super::*;
    use crate::toxic::testing::Bench;

    const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";

    struct Line {
        up: Bench<Reader>,
        down: Bench<Reader>,
        exchange: Arc<Mutex<Exchange>>,
        armed: Arc<Armed>,
    }

    fn line(when: When, side: Side, action: Action) -> Line {
        let armed =
            Arc::new(Armed::new(1, Trigger { command: "SET".parse().unwrap(), follows: None, when, side, action }, 7));
        let exchange = Arc::new(Mutex::new(Exchange::default()));
        exchange.lock().arm(vec![armed.clone()]);
        let bench = |direction| Bench::new(|_| Reader::new(direction, exchange.clone()));
        Line { up: bench(Direction::Upstream), down: bench(Direction::Downstream), exchange: exchange.clone(), armed }
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn a_reply_that_is_lost_was_the_reply_to_a_command_that_went_through() {
        let mut line = line(When::Nth(2), Side::Applied, Action::Reset);
        line.up.push(SET).push(GET).push(SET);
        assert_eq!(line.up.steps(), [text(SET), text(GET), text(SET), "wait".into()]);
        line.down.push(b"+OK\r\n$1\r\nv\r\n+OK\r\n");
        assert_eq!(line.down.steps(), ["+OK\r\n$1\r\nv\r\n", "reset"]);
        assert_eq!((line.armed.stats().matched, line.armed.stats().fired), (2, 1));
    }

    #[test]
    fn a_command_that_is_stopped_does_not_reach_the_server_and_those_before_it_do() {
        let mut line = line(When::Nth(1), Side::Before, Action::Reset);
        line.up.push(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n");
        assert_eq!(line.up.steps(), [text(GET), "reset".into()]);
    }

    #[test]
    fn a_command_in_pieces_waits_until_its_name_is_known() {
        let mut line = line(When::Nth(1), Side::Before, Action::Reset);
        line.up.push(b"*3\r\n$3\r\nS");
        assert_eq!(line.up.steps(), ["wait"]);
        line.up.more(b"ET\r\n$1\r\nk\r\n$1\r\nv\r\n");
        assert_eq!(line.up.steps(), ["reset"]);
    }

    #[test]
    fn a_line_that_never_ends_is_not_held_back() {
        let mut line = line(When::Nth(1), Side::Before, Action::Reset);
        line.up.push(&[b'x'; 100]);
        assert_eq!(line.up.steps(), ["wait"]);
        line.up.more(&[b'x'; 100]);
        assert_eq!(line.up.steps(), ["x".repeat(200), "wait".into()]);
    }

    #[test]
    fn a_long_payload_goes_on_as_it_comes() {
        let mut line = line(When::Nth(2), Side::Before, Action::Reset);
        line.up.push(b"*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nEX\r\n$6\r\nab");
        assert_eq!(line.up.steps().len(), 2);
        line.up.more(b"cd");
        assert_eq!(line.up.steps(), ["cd", "wait"]);
        line.up.more(b"ef\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n");
        assert_eq!(line.up.steps(), ["ef\r\n", "reset"]);
    }

    #[test]
    fn a_key_longer_than_what_may_wait_does_not_stop_the_line() {
        let mut line = line(When::Nth(1), Side::Before, Action::Reset);
        line.up.push(b"*2\r\n$3\r\nGET\r\n$100000\r\n").more(&[b'k'; 70]);
        let sent: usize = line.up.steps().iter().map(String::len).sum();
        assert!(sent > 70, "{sent}");
    }

    #[test]
    fn half_a_reply_arrives() {
        let mut line = line(When::Nth(1), Side::MidReply, Action::Reset);
        line.up.push(SET).steps();
        line.down.push(b"+OK\r\n");
        assert_eq!(line.down.steps(), ["+OK", "reset"]);
    }

    #[test]
    fn a_delayed_command_holds_what_follows_and_fires_once() {
        let mut line = line(When::Every(1), Side::Before, Action::Delay(Duration::from_millis(50)));
        line.up.push(SET).push(GET);
        assert_eq!(line.up.steps(), ["wait 50"]);
        assert_eq!(line.up.at(50).steps(), [text(SET), text(GET), "wait".into()]);
        assert_eq!((line.armed.stats().matched, line.armed.stats().fired), (1, 1));
    }

    #[test]
    fn a_delayed_reply_goes_on_whole_also_when_it_is_held_in_its_middle() {
        for side in [Side::Applied, Side::MidReply] {
            let mut line = line(When::Nth(1), side, Action::Delay(Duration::from_millis(50)));
            line.up.push(SET).push(GET).steps();
            line.down.push(b"+OK\r\n$-1\r\n").steps();
            let rest = line.down.at(50).steps();
            assert!(rest.concat().ends_with("\r\n$-1\r\nwait"), "{rest:?}");
        }
    }

    #[test]
    fn silence_lasts_until_the_trigger_is_removed_and_then_the_connection_closes() {
        let mut line = line(When::Nth(1), Side::Applied, Action::Silence);
        line.up.push(SET).steps();
        line.down.push(b"+OK\r\n");
        assert_eq!(line.down.steps(), ["wait"]);
        assert_eq!(line.down.inbox.held(), 0);
        line.exchange.lock().arm(Vec::new());
        assert_eq!(line.down.steps(), ["close"]);
    }

    #[test]
    fn what_is_pushed_takes_no_reply_and_what_is_not_resp_passes() {
        let mut line = line(When::Nth(1), Side::Applied, Action::Reset);
        line.up.push(SET).steps();
        line.down.push(b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n+OK\r\n");
        assert_eq!(line.down.steps(), [">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", "reset"]);
        let mut described = self::line(When::Nth(1), Side::Applied, Action::Reset);
        described.up.push(GET).push(SET).steps();
        described.down.push(b"|1\r\n+ttl\r\n:3\r\n").push(b"$1\r\nv\r\n|1\r\n+ttl\r\n:3\r\n").push(b"+OK\r\n");
        assert_eq!(described.down.steps().concat(), "|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n|1\r\n+ttl\r\n:3\r\nreset");
        let mut other = self::line(When::Nth(1), Side::Before, Action::Reset);
        other.up.push(b"*x\r\nhello");
        assert_eq!(other.up.steps(), ["*x\r\nhello", "wait"]);
        other.up.push(SET);
        assert_eq!(other.up.steps(), [text(SET), "wait".into()], "a connection that was given up fires nothing");
    }

    #[test]
    fn a_stream_that_ends_inside_a_command_is_passed_on_as_it_is() {
        let mut line = line(When::Nth(1), Side::Before, Action::Reset);
        line.up.push(b"*3\r\n$3\r\nS").end();
        assert_eq!(line.up.steps(), ["*3\r\n$3\r\nS", "end"]);
    }
}
