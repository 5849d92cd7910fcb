//! One call to Redis: a command, a script, or a script whose large value is sent ahead of it.
//!
//! What a script gets as an argument is copied into its interpreter and out of it again, which costs the server some
//! 100 µs for 50 KB where a SET costs one. So a large value goes ahead by a plain SET, in the same round trip, to a key of
//! its own that soon expires; the script then decides, and at most moves it into place.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, ToRedisArgs, Value};

use super::script::Script;

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

    /// A script, with the number of its keys; keys and arguments follow, of about `bytes` bytes beside keys and ids.
    pub(super) fn script(script: &'static Script, keys: usize, bytes: usize) -> Self {
        Self { cmd: script.by_hash(keys, bytes), script: Some(script), ahead: None }
    }

    /// With a command that goes before it.
    pub(super) fn after(mut self, ahead: Cmd) -> Self {
        self.ahead = Some(ahead);
        self
    }

    pub(super) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        self.cmd.arg(arg);
        self
    }

    /// Sends it and waits for the answer: one round trip, two where the server does not know the script yet.
    pub(super) async fn send(self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        let answer = match self.ahead {
            None => connection.send_packed_command(&self.cmd).await.and_then(Value::extract_error),
            Some(ahead) => send_both(connection, ahead, self.cmd.clone()).await,
        };
        match (answer, self.script) {
            // Not run: what was sent ahead still waits for it.
            (Err(error), Some(script)) if error.code() == Some("NOSCRIPT") => {
                connection.send_packed_command(&script.by_text(&self.cmd)).await.and_then(Value::extract_error)
            }
            (answer, _) => answer,
        }
    }
}

async fn send_both(connection: &mut MultiplexedConnection, ahead: Cmd, cmd: Cmd) -> RedisResult<Value> {
    let mut pipeline = Pipeline::with_capacity(2);
    pipeline.add_command(ahead).add_command(cmd);
    let answers = connection.send_packed_commands(&pipeline, 0, 2).await?;
    // Where the value was refused (OOM), that is why the script found none: the first error tells.
    answers.into_iter().map(Value::extract_error).reduce(Result::and).unwrap_or(Ok(Value::Nil))
}
