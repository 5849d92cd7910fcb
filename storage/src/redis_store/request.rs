//! One call to Redis: a command, a script, or a script whose large value is sent ahead.
//!
//! A script's arguments are copied into the interpreter and out again, which costs the server about 100 µs for 50 KB,
//! where a SET costs one. So a large value is sent ahead by a plain SET, in the same round trip, to a short-lived key
//! of its own; the script then decides, and at most moves the value into place.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, ToRedisArgs, Value};

use super::script::Script;
use crate::planted;

#[derive(Clone)]
pub(super) struct Request {
    cmd: Cmd,
    script: Option<&'static Script>,
    ahead: Option<Cmd>,
}

impl Request {
    /// A plain command.
    pub(super) fn plain(name: &str) -> Self {
        Self { cmd: redis::cmd(name), script: None, ahead: None }
    }

    /// A script with the number of its keys. Keys and arguments follow, of about `bytes` bytes besides keys and ids.
    pub(super) fn script(script: &'static Script, keys: usize, bytes: usize) -> Self {
        Self { cmd: script.by_hash(keys, bytes), script: Some(script), ahead: None }
    }

    /// Adds a command that is sent before it.
    pub(super) fn after(mut self, ahead: Cmd) -> Self {
        self.ahead = Some(ahead);
        self
    }

    pub(super) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        self.cmd.arg(arg);
        self
    }

    /// The first key; all keys of a request are in one slot of a cluster. Empty if the request names none.
    pub(super) fn key(&self) -> &[u8] {
        match self.cmd.args_iter().nth(if self.script.is_some() { 3 } else { 1 }) {
            Some(redis::Arg::Simple(key)) => key,
            _ => &[],
        }
    }

    /// Sends it and waits for the reply: one round trip, or two if the server does not know the script yet. `asking`:
    /// the node is only about to get the key's slot.
    pub(super) async fn send(&self, connection: &mut MultiplexedConnection, asking: bool) -> RedisResult<Value> {
        let answer = send(connection, self.ahead.as_ref(), &self.cmd, asking).await;
        match (answer, self.script) {
            // The script did not run, so the value sent ahead still waits for it.
            (Err(error), Some(script))
                if error.code() == Some("NOSCRIPT")
                    && (!planted::seam!(scripts_not_resent) || planted::first_time(script.hash())) =>
            {
                send(connection, None, &script.by_text(&self.cmd), asking).await
            }
            (answer, _) => answer,
        }
    }
}

async fn send(
    connection: &mut MultiplexedConnection,
    ahead: Option<&Cmd>,
    cmd: &Cmd,
    asking: bool,
) -> RedisResult<Value> {
    if ahead.is_none() && !asking {
        return connection.send_packed_command(cmd).await.and_then(Value::extract_error);
    }
    let mut pipeline = Pipeline::with_capacity(4);
    for cmd in ahead.into_iter().chain([cmd]) {
        if asking {
            // ASKING applies to a single command.
            pipeline.add_command(redis::cmd("ASKING"));
        }
        pipeline.add_command(cmd.clone());
    }
    let sent = pipeline.cmd_iter().count();
    let answers = connection.send_packed_commands(&pipeline, 0, sent).await?;
    // The command's own reply counts. If it failed, the first error tells why: the script misses a value that was
    // refused (OOM).
    let mut first_error = None;
    let mut last = Ok(Value::Nil);
    for answer in answers {
        last = answer.extract_error();
        if let Err(error) = &last {
            first_error.get_or_insert_with(|| error.clone());
        }
    }
    last.map_err(|error| first_error.unwrap_or(error))
}
