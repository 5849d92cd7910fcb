//! Checks whether a Redis supports a target's commands: each is tried once, with the rights of the URL's user, before
//! anything depends on it. A command refused here is not the store's failure.
//!
//! The trial writes two keys under the given prefix, which share a slot in a cluster. They expire within seconds and are
//! deleted at the end.

use redis::{Cmd, Value};

use super::admin::Admin;
use super::error::{LabError, RedisFailure};
use super::keyspace::KeyPrefix;

/// How long a trial key lives if it cannot be deleted, milliseconds.
const LIFE_MS: u64 = 10_000;

/// Tries `commands` in order on the server behind `admin`.
///
/// # Errors
/// [`RedisFailure::Lacks`], with the server's message, for the first command refused; otherwise the same as
/// [`Admin::query`].
pub async fn try_out(admin: &Admin, prefix: &KeyPrefix, commands: &[&'static str]) -> Result<(), LabError> {
    if commands.is_empty() {
        return Ok(());
    }
    let tried = async {
        for command in commands {
            attempt(admin, prefix, command).await?;
        }
        Ok(())
    };
    let tried = tried.await;
    // Clean up even after a refusal; if the deletion is refused too, the keys expire.
    for key in [text(prefix), moved(prefix), index(prefix)] {
        let _ = admin.query::<Value>(redis::cmd("DEL").arg(key)).await;
    }
    tried
}

async fn attempt(admin: &Admin, prefix: &KeyPrefix, command: &'static str) -> Result<(), LabError> {
    match admin.query::<Value>(&call(command, prefix)).await {
        // The server accepted the command; it just does not know the script.
        Err(LabError::Redis(RedisFailure::Refused { answer, .. })) if answer.contains("No matching script") => Ok(()),
        Err(LabError::Redis(RedisFailure::Refused { address, answer })) => {
            let answer = answer.trim_end_matches('.').to_owned();
            Err(RedisFailure::Lacks { address, command, answer }.into())
        }
        answered => answered.map(drop),
    }
}

/// The command, with arguments that make sense after the commands before it in the list.
fn call(command: &'static str, prefix: &KeyPrefix) -> Cmd {
    let (text, index, mut cmd) = (text(prefix), index(prefix), redis::cmd(command));
    match command {
        "PING" | "TIME" => &mut cmd,
        "SET" => cmd.arg(text).arg("trial").arg("PX").arg(LIFE_MS),
        "GETEX" => cmd.arg(text).arg("PX").arg(LIFE_MS),
        "GETRANGE" => cmd.arg(text).arg(0).arg(0),
        "SETRANGE" => cmd.arg(text).arg(0).arg("t"),
        "PEXPIRE" => cmd.arg(text).arg(LIFE_MS),
        "ZADD" => cmd.arg(index).arg(1).arg("trial"),
        "ZSCORE" | "ZREM" => cmd.arg(index).arg("trial"),
        "ZCOUNT" | "ZRANGEBYSCORE" => cmd.arg(index).arg(0).arg(1),
        "ZREVRANGE" => cmd.arg(index).arg(0).arg(0),
        "RENAME" => cmd.arg(text).arg(moved(prefix)),
        // Like the store's scripts, this one declares its key and extends the key's life.
        "EVAL" => cmd.arg("return redis.call('PEXPIRE', KEYS[1], ARGV[1])").arg(1).arg(index).arg(LIFE_MS),
        "EVALSHA" => cmd.arg("0".repeat(40)).arg(0),
        "SCAN" => cmd.arg(0).arg("MATCH").arg(format!("{prefix}*")).arg("COUNT").arg(1),
        "UNLINK" => cmd.arg(index),
        _ => cmd.arg(text),
    };
    cmd
}

fn text(prefix: &KeyPrefix) -> String {
    format!("{prefix}session:{{trial}}")
}

fn moved(prefix: &KeyPrefix) -> String {
    format!("{prefix}session:{{trial}}-moved")
}

fn index(prefix: &KeyPrefix) -> String {
    format!("{prefix}session:{{trial}}-index")
}
