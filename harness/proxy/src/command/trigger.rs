//! What a proxy does at which command: a [`Trigger`], and its counters.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A rule: at these commands, at this point of their execution, do this to the connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// The commands that match.
    pub command: CommandPattern,
    /// The command directly before it on the same connection; `None` if any may be.
    pub follows: Option<CommandPattern>,
    /// At which of the matching commands it fires. They are counted over all connections, in the order in which the
    /// proxy reads them.
    pub when: When,
    /// The point of the command's execution.
    pub side: Side,
    /// What to do.
    pub action: Action,
}

/// A command's name and, if there are more words, the arguments that follow it: `SET`, `CLIENT SETINFO`, `FCALL put`.
/// The name is case-insensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandPattern {
    words: Vec<String>,
}

/// The most words in a pattern: as many as a proxy keeps of a command.
const MOST_WORDS: usize = 3;

impl FromStr for CommandPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        match words.len() {
            0 => Err("must name a command, such as \"SET\"".to_owned()),
            1..=MOST_WORDS => Ok(Self { words }),
            _ => Err(format!("may have at most {MOST_WORDS} words, such as \"CLIENT SETINFO LIB-NAME\"")),
        }
    }
}

impl fmt::Display for CommandPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

impl CommandPattern {
    /// Whether a command with these words matches.
    pub(super) fn matches(&self, words: &[Vec<u8>]) -> bool {
        let same = |(number, pattern): (usize, &String)| {
            let Some(word) = words.get(number) else { return false };
            if number == 0 { word.eq_ignore_ascii_case(pattern.as_bytes()) } else { word == pattern.as_bytes() }
        };
        self.words.iter().enumerate().all(same)
    }
}

/// At which of the matching commands a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// Once, at the command with this number, counted from 1.
    Nth(u64),
    /// At each command whose number is a multiple of this.
    Every(u64),
    /// At a share of the commands, 0 to 1, drawn from the proxy's seed.
    Share(f64),
}

/// A point of a command's execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The command has not reached the server.
    Before,
    /// The server has executed the command and started to reply, but the client has received nothing of the reply.
    /// Inside MULTI, EXEC executes the command, and the reply to EXEC counts.
    Applied,
    /// The client has received part of the reply.
    MidReply,
}

/// What to do to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Reset both sides.
    Reset,
    /// Silently swallow everything in this direction until the trigger is removed, which closes the connection.
    Silence,
    /// Hold the command or its reply, and everything after it, for this long.
    Delay(Duration),
}

/// What a trigger has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TriggerStats {
    /// Commands that matched.
    pub matched: u64,
    /// How often it fired.
    pub fired: u64,
}

/// A trigger on a proxy, shared by its connections.
#[derive(Debug)]
pub(crate) struct Armed {
    pub serial: u64,
    pub trigger: Trigger,
    seed: u64,
    matched: AtomicU64,
    fired: AtomicU64,
}

impl Armed {
    pub fn new(serial: u64, trigger: Trigger, seed: u64) -> Self {
        Self { serial, trigger, seed, matched: AtomicU64::new(0), fired: AtomicU64::new(0) }
    }

    pub fn stats(&self) -> TriggerStats {
        TriggerStats { matched: self.matched.load(Relaxed), fired: self.fired.load(Relaxed) }
    }

    /// Counts a command that comes after `last` on its connection, if it matches, and returns whether the trigger fires
    /// at it.
    pub fn takes(&self, words: &[Vec<u8>], last: &[Vec<u8>]) -> bool {
        let Trigger { command, follows, .. } = &self.trigger;
        if !command.matches(words) || follows.as_ref().is_some_and(|follows| !follows.matches(last)) {
            return false;
        }
        let number = self.matched.fetch_add(1, Relaxed) + 1;
        match self.trigger.when {
            When::Nth(nth) => number == nth,
            When::Every(every) => number.is_multiple_of(every.max(1)),
            When::Share(share) => {
                Xoshiro256PlusPlus::seed_from_u64(self.seed ^ number.rotate_left(32)).random::<f64>() < share
            }
        }
    }

    /// Counts that it fired.
    pub fn fire(&self) {
        self.fired.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<u8>> {
        text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    fn armed(when: When) -> Armed {
        let command = "SET".parse().unwrap();
        Armed::new(1, Trigger { command, follows: None, when, side: Side::Applied, action: Action::Reset }, 7)
    }

    /// The numbers of the SETs, out of `n`, at which it fires.
    fn fires(when: When, n: u64) -> Vec<u64> {
        let armed = armed(when);
        (1..=n).filter(|_| armed.takes(&words("set k"), &[])).collect()
    }

    #[test]
    fn a_pattern_matches_the_name_in_any_case_and_the_arguments_as_they_are() {
        let matches = |pattern: &str, command| pattern.parse::<CommandPattern>().unwrap().matches(&words(command));
        assert!(matches("SET", "set key") && matches("set", "SET"));
        assert!(!matches("SET", "SETEX key") && !matches("FCALL put", "FCALL get") && !matches("FCALL put", "FCALL"));
        assert!(matches("FCALL put", "fcall put 1"));
        assert!("".parse::<CommandPattern>().is_err() && "a b c d".parse::<CommandPattern>().is_err());
    }

    #[test]
    fn it_fires_at_the_nth_each_nth_or_a_share() {
        assert_eq!(fires(When::Nth(3), 9), [3]);
        assert_eq!(fires(When::Every(3), 9), [3, 6, 9]);
        assert_eq!(fires(When::Share(0.0), 100), [0; 0]);
        assert_eq!(fires(When::Share(1.0), 5), [1, 2, 3, 4, 5]);
        let some = fires(When::Share(0.3), 1_000);
        assert!((250..350).contains(&some.len()), "{}", some.len());
        assert_eq!(some, fires(When::Share(0.3), 1_000), "equal seeds fire equally");
    }

    #[test]
    fn other_commands_are_not_counted() {
        let armed = armed(When::Nth(1));
        assert!(!armed.takes(&words("GET k"), &[]));
        assert_eq!(armed.stats(), TriggerStats::default());
    }
}
