//! The simulated server against a real one: both get the commands and scripts that stores sent in simulated schedules,
//! and must return the same replies.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill_storage_sim::generate::generate;
use firedrill_storage_sim::quiet_panics;
use firedrill_storage_sim::redis::line::Line;
use firedrill_storage_sim::redis::resp::Reply;
use firedrill_storage_sim::redis::server::Server;
use firedrill_storage_sim::run::record;
use redis::{ConnectionLike, Value};

/// Schedules whose commands are replayed.
const SCHEDULES: u64 = 150;

struct Real {
    child: Child,
    connection: redis::Connection,
    _folder: tempfile::TempDir,
}

impl Real {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir"]).arg(folder.path());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("redis-server is needed");
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/?protocol=resp3")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let connection = loop {
            match client.get_connection() {
                Ok(connection) => break connection,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Self { child, connection, _folder: folder }
    }

    fn ask(&mut self, command: &[Vec<u8>]) -> Reply {
        let mut cmd = redis::Cmd::new();
        for part in command {
            cmd.arg(part);
        }
        match self.connection.req_command(&cmd) {
            Ok(value) => of(value),
            Err(error) => Reply::Error(error.code().unwrap_or("?").to_owned()),
        }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn of(value: Value) -> Reply {
    match value {
        Value::Nil => Reply::Nil,
        Value::Int(number) => Reply::Int(number),
        Value::BulkString(bytes) => Reply::Bulk(bytes),
        Value::SimpleString(text) => Reply::Status(text),
        Value::Okay => Reply::ok(),
        Value::Array(items) => Reply::Array(items.into_iter().map(of).collect()),
        Value::ServerError(error) => Reply::Error(error.code().to_owned()),
        other => panic!("an answer of another kind: {other:?}"),
    }
}

/// The part of a reply to compare: of an error only its code. A SCAN reply is ignored, because its cursor and page size
/// depend on the server.
fn comparable(name: &[u8], reply: Reply) -> Reply {
    match reply {
        Reply::Error(text) => Reply::Error(text.split(' ').next().unwrap_or_default().to_owned()),
        _ if name == b"SCAN" => Reply::Nil,
        // A remaining lifetime depends on when it is read.
        Reply::Int(left) if name == b"PTTL" && left > 0 => Reply::Int(1),
        // In a listing, the times of the last writes.
        Reply::Array(mut parts) if matches!(parts.as_slice(), [Reply::Int(_), Reply::Array(_)]) => {
            if let Reply::Array(listed) = &mut parts[1] {
                for entry in listed {
                    if let Reply::Array(entry) = entry {
                        entry.truncate(1);
                    }
                }
            }
            Reply::Array(parts)
        }
        // In the reply about a tombstone, its time and the server's.
        Reply::Array(mut parts)
            if matches!(parts.as_slice(), [.., Reply::Int(_), Reply::Int(1_000_000_000_000_000..)]) =>
        {
            parts.truncate(parts.len() - 2);
            Reply::Array(parts)
        }
        // In the reply of `peek`, the remaining lifetime.
        Reply::Array(mut parts) if matches!(parts.as_slice(), [Reply::Bulk(_), Reply::Int(1..)]) => {
            parts[1] = Reply::Int(1);
            Reply::Array(parts)
        }
        reply => reply,
    }
}

/// What a write-back knows of a server's clock was learned from the server of the simulation: neither of these two has
/// that clock, so to both every tombstone is later.
fn without_times(mut command: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let keys = command.get(2).and_then(|keys| std::str::from_utf8(keys).ok()?.parse::<usize>().ok());
    let Some(keys) = keys.filter(|_| command[0].starts_with(b"EVAL")) else { return command };
    let first = 3 + keys;
    // Scripts are recognised by their arguments: only write_back has twelve or more; extend_back has six, like create,
    // but create has a value where extend_back has a write.
    let times: &[usize] = match command.len().saturating_sub(first) {
        12.. => &[9, 12],
        6 if keys == 2 && !command[first + 4].starts_with(b"{") => &[6],
        _ => &[],
    };
    for time in times {
        let bound = &mut command[first + time - 1];
        if bound != b"-1" {
            *bound = b"0".to_vec();
        }
    }
    command
}

#[test]
fn what_stores_send_is_answered_as_a_real_server_answers_it() {
    quiet_panics();
    let mut real = Real::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let (mut compared, mut scripts) = (0, 0);
    for seed in 1..=SCHEDULES {
        let schedule = generate(seed, None);
        let simulated = Server::new(seed);
        let client = simulated.accept(&Arc::new(Line::default())).unwrap();
        real.ask(&[b"FLUSHALL".to_vec()]);
        real.ask(&[b"SCRIPT".to_vec(), b"FLUSH".to_vec()]);
        for command in record(&schedule) {
            let command = without_times(command);
            let name = command[0].clone();
            let one = comparable(&name, simulated.execute(client, &command));
            let other = comparable(&name, real.ask(&command));
            let text = || command.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect::<Vec<_>>();
            assert_eq!(one, other, "seed {seed}, command {compared}: {:?}", text());
            compared += 1;
            scripts += u64::from(name.starts_with(b"EVAL"));
        }
    }
    println!("{compared} commands of {SCHEDULES} schedules, {scripts} of them scripts");
    assert!(scripts > 1_000, "only {scripts} scripts");
}
