//! A Redis as its owner runs it: a redis-server built beside the project, with the redis.conf of production.

use crate::support::docker::text;
use crate::support::{copy_program, firedrill, room_for_one};

const SCENARIO: &str = r#"
name  = "own"
about = "More sessions than fit, on a Redis whose own configuration lets it evict."
[lab]
redis = { persistence = "none", maxmemory = "3MB", config = "redis.conf" }
[[load]]
rate     = "200/s"
for      = "2s"
sessions = 20
payload  = "20KB"
mix      = { create = 1, read = 1 }
"#;

const CONF: &str = "port 6379\nrequirepass s3cret\ntimeout 300\nmaxmemory 4gb\nmaxmemory-policy allkeys-lru\n\
                    client-output-buffer-limit normal 0 0 0\nrename-command FLUSHALL \"\"\n";

/// Without its own policy the lab's Redis would evict nothing.
#[test]
fn a_drill_runs_on_a_redis_server_and_with_a_redis_conf_given_by_relative_paths() {
    let _room = room_for_one();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("redis/src")).unwrap();
    let installed = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("redis-server"))
        .find(|file| file.is_file())
        .unwrap();
    copy_program(&installed, &folder.path().join("redis/src/redis-server"));
    std::fs::write(folder.path().join("own.toml"), SCENARIO).unwrap();
    std::fs::write(folder.path().join("redis.conf"), CONF).unwrap();
    let mut command = firedrill();
    command.current_dir(folder.path()).args(["run", "own.toml", "--out", "runs"]).env("RUST_LOG", "warn");
    let done = command.args(["--redis-server", "redis/src/redis-server"]).output().unwrap();
    let said = text(&done);
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("Redis evicted") && said.contains("no fault asked for it"), "{said}");
    assert!(said.contains("left_out=port, requirepass, maxmemory"), "{said}");
}
