//! One connection to a simulated server. Commands arrive in order after a delay, and so do replies; each command may
//! meet its own fate on the way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep_until};

use super::fate::Fate;
use super::line::Line;
use super::path::Path;
use super::resp::{Command, take_command};
use super::server::Server;

struct Incoming {
    due: Instant,
    command: Command,
    fate: Option<Fate>,
}

/// Serves one connection until it ends.
pub(crate) async fn serve(server: Server, path: Arc<Path>, mut stream: DuplexStream) {
    let line = Arc::new(Line::default());
    let Some(client) = server.accept(&line) else { return };
    let connection = Connection { server: server.clone(), path, line, client };
    connection.run(&mut stream).await;
    server.leave(client);
}

struct Connection {
    server: Server,
    path: Arc<Path>,
    line: Arc<Line>,
    client: u64,
}

impl Connection {
    async fn run(&self, stream: &mut DuplexStream) {
        let mut read = Vec::with_capacity(4096);
        let mut inbox: VecDeque<Incoming> = VecDeque::new();
        let mut outbox: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        let mut open = true;
        loop {
            // Taken before anything is checked, so that no later change is missed.
            let changed = self.server.changes();
            let apart = self.path.is_apart();
            if self.line.is_cut() && !apart {
                return;
            }
            let cut = self.line.is_cut();
            for message in self.line.take_pushed() {
                let due = outbox.back().map_or(Instant::now(), |(due, _)| *due);
                outbox.push_back((due.max(Instant::now() + self.path.delay()), message));
            }
            if !open && inbox.is_empty() {
                return;
            }
            let held = apart || cut || self.server.is_frozen();
            let next_in = inbox.front().map(|incoming| incoming.due).filter(|_| !held);
            let next_out = outbox.front().map(|(due, _)| *due).filter(|_| !apart && open);
            tokio::select! {
                biased;
                () = sleep_until(next_out.unwrap_or_else(Instant::now)), if next_out.is_some() => {
                    if let Some((_, bytes)) = outbox.pop_front()
                        && stream.write_all(&bytes).await.is_err()
                    {
                        open = false;
                    }
                }
                () = sleep_until(next_in.unwrap_or_else(Instant::now)), if next_in.is_some() => {
                    let Some(incoming) = inbox.pop_front() else { continue };
                    if incoming.fate == Some(Fate::CutBefore) {
                        return;
                    }
                    let reply = self.server.execute(self.client, &incoming.command);
                    let late = match incoming.fate {
                        Some(Fate::CutAfter) => return,
                        Some(Fate::Unanswered) => Duration::from_secs(3_600),
                        Some(Fate::LateAnswer(late)) => Duration::from_millis(late),
                        _ => Duration::ZERO,
                    };
                    let mut bytes = Vec::new();
                    reply.encode(&mut bytes);
                    let due = Instant::now() + self.path.delay() + late;
                    let after = outbox.back().map_or(due, |(before, _)| due.max(*before));
                    outbox.push_back((after, bytes));
                }
                got = stream.read_buf(&mut read), if open => match got {
                    Ok(0) | Err(_) => open = false,
                    Ok(_) => {
                        while let Some(command) = take_command(&mut read) {
                            let fate = if is_about_data(&command) { self.path.fate() } else { None };
                            let late = match fate {
                                Some(Fate::Late(late)) => Duration::from_millis(late),
                                _ => Duration::ZERO,
                            };
                            let due = Instant::now() + self.path.delay() + late;
                            let due = inbox.back().map_or(due, |before| due.max(before.due));
                            inbox.push_back(Incoming { due, command, fate });
                        }
                    }
                },
                () = self.line.rung() => {}
                () = changed => {}
            }
        }
    }
}

/// Whether a command concerns sessions rather than the connection.
fn is_about_data(command: &[Vec<u8>]) -> bool {
    let name = command.first().map_or(&[][..], Vec::as_slice);
    ![&b"HELLO"[..], b"CLIENT", b"PING", b"ROLE", b"SELECT", b"AUTH", b"INFO"]
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other))
}
