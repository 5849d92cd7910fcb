//! The evidence that the server refuses: a probe on the load's path is refused, and the server's own counters show that
//! clients other than the probes were refused too.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use redis::Cmd;

use super::Impact;
use super::context::FaultContext;
use super::path::{ProbeResult, count};
use super::remote::Remote;
use crate::lab::LabError;

/// The longest wait for a probe's answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// The most requests in a probe: it logs in, selects its database, and does one thing.
const REQUESTS: usize = 3;

/// The sign of a refusal without an error.
const CLOSED: &str = "nothing, and closed";

/// What the server refuses, and how refusals are counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    /// Commands, with an error that starts with one of these words. INFO counts errors by that word (since Redis 6.2).
    Commands(&'static [&'static str]),
    /// Connections, because there are too many.
    Connections,
}

impl Refusal {
    /// The first words of the errors.
    fn words(self) -> &'static [&'static str] {
        match self {
            Refusal::Commands(words) => words,
            Refusal::Connections => &["ERR max number of clients reached"],
        }
    }

    /// The first word of an error line, if it is such a refusal.
    fn of(self, line: &[u8]) -> Option<&'static str> {
        let error = line.strip_prefix(b"-")?;
        self.words().iter().find(|word| error.starts_with(word.as_bytes())).copied()
    }

    /// How many refusals the server has counted since its start; `None` if it does not count them.
    async fn counted(self, remote: &Remote) -> Result<Option<u64>, LabError> {
        Ok(match self {
            Refusal::Commands(words) => {
                let text = remote.info("errorstats").await?;
                (!text.is_empty()).then(|| words.iter().map(|word| error_count(&text, word)).sum())
            }
            Refusal::Connections => {
                let text = remote.info("stats").await?;
                text.lines().find_map(|line| line.strip_prefix("rejected_connections:")?.trim().parse().ok())
            }
        })
    }

    /// The most refusals that a probe can get.
    fn per_probe(self) -> usize {
        match self {
            Refusal::Commands(_) => REQUESTS,
            Refusal::Connections => 1,
        }
    }

    /// Whether a silently closed connection was refused: before the TLS handshake, no error can be sent.
    fn is_silent(self, seen: ProbeResult, is_tls: bool) -> bool {
        is_tls && matches!(self, Refusal::Connections) && seen == ProbeResult::Closed
    }

    fn noun(self) -> &'static str {
        match self {
            Refusal::Commands(_) => "command",
            Refusal::Connections => "connection",
        }
    }
}

/// The count in a line like `errorstat_OOM:count=12`; 0 if there is none.
fn error_count(info: &str, word: &str) -> u64 {
    let of =
        |line: &str| line.strip_prefix("errorstat_")?.strip_prefix(word)?.strip_prefix(":count=")?.trim().parse().ok();
    info.lines().find_map(of).unwrap_or(0)
}

/// Looks for refusals of one kind.
pub(super) struct Witness {
    context: FaultContext,
    refusal: Refusal,
    before: Mutex<Option<u64>>,
    /// Refusals of probes.
    probes: AtomicU64,
    felt: Mutex<Option<&'static str>>,
}

impl Witness {
    pub fn new(context: FaultContext, refusal: Refusal) -> Self {
        Self { context, refusal, before: Mutex::default(), probes: AtomicU64::new(0), felt: Mutex::default() }
    }

    /// Starts to count.
    pub async fn begin(&self, remote: &Remote) -> Result<(), LabError> {
        let counted = self.refusal.counted(remote).await?;
        *self.before.lock() = counted;
        *self.felt.lock() = None;
        self.probes.store(0, Relaxed);
        Ok(())
    }

    /// Whether a probe that sends `command`, which has a one-line answer, is refused, and the load as well.
    pub async fn impact(&self, remote: &Remote, command: &Cmd, within: Duration) -> Impact {
        let (felt, probe) = self.feel(command, within.min(PATIENCE)).await;
        let (hit, damage) = self.load(remote).await;
        self.context.path.impact(felt && hit, format!("{probe}; {damage}"))
    }

    /// What a probe gets. Once one has been refused, no further probe is sent.
    async fn feel(&self, command: &Cmd, within: Duration) -> (bool, String) {
        let refused = |word: &str| (true, format!("a probe got \"{word}\""));
        if let Some(word) = *self.felt.lock() {
            return refused(word);
        }
        let (seen, come) = self.context.ask(command, 1, within).await;
        let words: Vec<&'static str> =
            come.split(|byte| *byte == b'\n').filter_map(|line| self.refusal.of(line)).collect();
        // A refusal that could not be read completely is still a refusal.
        let most = self.refusal.per_probe();
        let refusals = if matches!(seen, ProbeResult::Answered(_)) { words.len() } else { words.len().max(most) };
        self.probes.fetch_add(refusals as u64, Relaxed);
        let silent = self.refusal.is_silent(seen, self.context.path.is_tls()).then_some(CLOSED);
        match words.first().copied().or(silent) {
            Some(word) => {
                *self.felt.lock() = Some(word);
                refused(word)
            }
            None => (false, seen.to_string()),
        }
    }

    /// Whether, and how often, the load has been refused since the fault began.
    async fn load(&self, remote: &Remote) -> (bool, String) {
        let before = *self.before.lock();
        match (before, self.refusal.counted(remote).await) {
            (Some(before), Ok(Some(now))) => {
                let hit = now.saturating_sub(before).saturating_sub(self.probes.load(Relaxed));
                (hit > 0, format!("{} of others refused", count(hit, self.refusal.noun())))
            }
            (_, Ok(_)) => (true, "this server does not count what it refuses".to_owned()),
            (_, Err(error)) => (false, format!("what it refused could not be asked for: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_recognised_among_other_answers() {
        let refusal = Refusal::Commands(&["NOAUTH", "WRONGPASS"]);
        assert_eq!(refusal.of(b"-WRONGPASS invalid username-password pair\r"), Some("WRONGPASS"));
        assert_eq!(refusal.of(b"-ERR unknown command\r"), None);
        assert_eq!(refusal.of(b"+NOAUTH"), None);
    }

    #[test]
    fn errors_are_counted_by_their_whole_word() {
        let info = "# Errorstats\r\nerrorstat_ERR:count=4\r\nerrorstat_OOM:count=12\r\n";
        assert_eq!(error_count(info, "OOM"), 12);
        assert_eq!(error_count(info, "OO"), 0);
        assert_eq!(error_count(info, "READONLY"), 0);
    }
}
