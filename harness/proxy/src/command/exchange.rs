//! The commands of one connection that await their replies, and the triggers that fire at them. Both directions of the
//! connection share it: commands enter on the way to the server and leave, in the same order, with the replies.

use std::collections::VecDeque;
use std::sync::Arc;

use super::resp::Message;
use super::trigger::{Armed, Side};

/// What both directions of a connection know about its commands.
#[derive(Default)]
pub(crate) struct Exchange {
    triggers: Vec<Arc<Armed>>,
    /// The first words of the last command, kept while a trigger asks for it.
    last: Vec<Vec<u8>>,
    /// One entry per forwarded command without a reply: the trigger that fires at its reply.
    awaited: VecDeque<Option<Arc<Armed>>>,
    /// Between MULTI and EXEC: the trigger that fires at EXEC's reply.
    transaction: Option<Option<Arc<Armed>>>,
    lost: bool,
}

/// Commands after which replies no longer correspond one to one to commands.
const UNREAD: [&[u8]; 7] = [b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"UNSUBSCRIBE", b"MONITOR", b"SYNC", b"PSYNC"];

impl Exchange {
    /// Replaces the active triggers.
    pub fn arm(&mut self, triggers: Vec<Arc<Armed>>) {
        // What passed while no trigger asked was not kept.
        if !self.asks_for_last() {
            self.last.clear();
        }
        self.triggers = triggers;
    }

    fn asks_for_last(&self) -> bool {
        self.triggers.iter().any(|armed| armed.trigger.follows.is_some())
    }

    /// Whether a trigger is active.
    pub fn has(&self, armed: &Armed) -> bool {
        self.triggers.iter().any(|one| one.serial == armed.serial)
    }

    /// Whether this connection is no longer read, so that nothing fires on it.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Stops reading this connection's commands.
    pub fn lose(&mut self, why: &str) {
        tracing::debug!(why, "the proxy no longer reads the commands of a connection");
        *self = Self { triggers: std::mem::take(&mut self.triggers), lost: true, ..Self::default() };
    }

    /// Accepts a command once, before it is forwarded, and returns the trigger that fires first.
    pub(super) fn command(&mut self, message: &Message) -> Option<Arc<Armed>> {
        let words = &message.words;
        if !message.is_command() {
            self.lose("this is no command");
            return None;
        }
        // The server skips an empty line or list without a reply.
        if words.is_empty() {
            return None;
        }
        let word = |at: usize, name: &[u8]| words.get(at).is_some_and(|word| word.eq_ignore_ascii_case(name));
        if UNREAD.into_iter().any(|name| word(0, name)) || (word(0, b"CLIENT") && word(1, b"REPLY")) {
            self.lose("replies no longer come one for each command");
            return None;
        }
        // Each trigger counts each command, even if another one fires.
        let firing: Vec<_> = self.triggers.iter().filter(|armed| armed.takes(words, &self.last)).cloned().collect();
        if self.asks_for_last() {
            self.last.clone_from(words);
        }
        let mut firing = firing.into_iter().next();
        let before = firing.take_if(|armed| armed.trigger.side == Side::Before);
        if word(0, b"MULTI") {
            self.transaction = Some(None);
        } else if word(0, b"EXEC") {
            firing = self.transaction.take().flatten().or(firing);
        } else if word(0, b"DISCARD") {
            self.transaction = None;
        } else if let Some(queued) = &mut self.transaction {
            *queued = queued.take().or(firing.take());
        }
        self.awaited.push_back(firing);
        before
    }

    /// Takes the command that a reply belongs to, and returns the trigger that fires at the reply. `kind` is the
    /// reply's first byte.
    pub fn reply(&mut self, kind: u8) -> Option<Arc<Armed>> {
        // A reply without a command is the server's last message before it hangs up: "-ERR max number of clients
        // reached".
        let armed = self.awaited.pop_front().flatten()?;
        let refused = matches!(kind, b'-' | b'!');
        (self.has(&armed) && !(refused && armed.trigger.side == Side::Applied)).then_some(armed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::resp::Framer;
    use super::super::trigger::{Action, Trigger, When};
    use super::*;

    fn set(side: Side, when: When, follows: Option<&str>) -> Arc<Armed> {
        let (command, follows) = ("SET".parse().unwrap(), follows.map(|command| command.parse().unwrap()));
        Arc::new(Armed::new(1, Trigger { command, follows, when, side, action: Action::Reset }, 7))
    }

    fn exchange(side: Side, when: When) -> Exchange {
        let mut exchange = Exchange::default();
        exchange.arm(vec![set(side, when, None)]);
        exchange
    }

    /// Whether something fires before the command.
    fn sends(exchange: &mut Exchange, command: &str) -> bool {
        let mut framer = Framer::default();
        framer.read(format!("{command}\r\n").as_bytes());
        exchange.command(framer.message()).is_some()
    }

    /// Whether something fires at each of these replies.
    fn replies(exchange: &mut Exchange, kinds: &str) -> Vec<bool> {
        kinds.bytes().map(|kind| exchange.reply(kind).is_some()).collect()
    }

    #[test]
    fn a_reply_is_matched_to_its_command_in_a_pipeline() {
        let mut exchange = exchange(Side::Applied, When::Nth(2));
        for command in ["GET a", "SET a 1", "GET a", "SET b 1", "GET b"] {
            assert!(!sends(&mut exchange, command));
        }
        assert_eq!(replies(&mut exchange, "$+$+$"), [false, false, false, true, false]);
    }

    #[test]
    fn a_command_that_the_server_refuses_was_not_applied() {
        let mut exchange = exchange(Side::Applied, When::Every(1));
        sends(&mut exchange, "SET a 1");
        sends(&mut exchange, "SET a 1");
        assert_eq!(replies(&mut exchange, "-+"), [false, true]);
    }

    #[test]
    fn inside_a_transaction_the_reply_of_exec_counts() {
        let mut exchange = exchange(Side::Applied, When::Nth(1));
        for command in ["MULTI", "SET a 1", "GET a", "EXEC", "SET a 1"] {
            sends(&mut exchange, command);
        }
        assert_eq!(replies(&mut exchange, "+++*+"), [false, false, false, true, false]);
        for command in ["MULTI", "SET a 1", "DISCARD"] {
            sends(&mut exchange, command);
        }
        assert_eq!(replies(&mut exchange, "+++"), [false; 3]);
    }

    #[test]
    fn before_fires_before_the_command_and_not_at_its_reply() {
        let mut exchange = exchange(Side::Before, When::Nth(1));
        assert!(sends(&mut exchange, "set a 1"));
        assert_eq!(replies(&mut exchange, "+"), [false]);
    }

    #[test]
    fn it_may_fire_between_two_commands_that_follow_one_another_on_a_connection() {
        let (armed, mut one, mut other) =
            (set(Side::Before, When::Nth(1), Some("GET a")), Exchange::default(), Exchange::default());
        assert!(!sends(&mut one, "GET a"));
        one.arm(vec![armed.clone()]);
        other.arm(vec![armed.clone()]);
        assert!(!sends(&mut one, "SET a 1"), "the GET passed before anything asked");
        assert!(!sends(&mut one, "GET a"));
        assert!(!sends(&mut other, "SET a 1"), "another connection");
        assert!(!sends(&mut one, "GET b") && !sends(&mut one, "SET a 1"), "not at once");
        assert!(!sends(&mut one, "GET a"));
        one.arm(vec![armed.clone()]);
        assert!(sends(&mut one, "SET a 1"));
        assert_eq!((armed.stats().matched, armed.stats().fired), (1, 0));
    }

    #[test]
    fn what_the_server_skips_awaits_no_reply() {
        let mut exchange = exchange(Side::Applied, When::Nth(1));
        for skipped in ["", "*0", "*-1"] {
            assert!(!sends(&mut exchange, skipped));
        }
        sends(&mut exchange, "SET a 1");
        assert_eq!(replies(&mut exchange, "+"), [true]);
    }

    #[test]
    fn a_trigger_that_was_removed_fires_no_more() {
        let mut exchange = exchange(Side::Applied, When::Nth(1));
        sends(&mut exchange, "SET a 1");
        exchange.arm(Vec::new());
        assert_eq!(replies(&mut exchange, "+"), [false]);
    }

    #[test]
    fn a_connection_that_subscribes_is_no_longer_read() {
        for command in ["SUBSCRIBE news", "client reply off", "MONITOR", "+OK"] {
            let mut exchange = exchange(Side::Applied, When::Nth(1));
            sends(&mut exchange, command);
            assert!(exchange.is_lost(), "{command}");
        }
    }
}
