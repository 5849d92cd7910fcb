//! The image that tests run in containers, and the containers left by drills.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Once;
use std::time::Duration;

use firedrill::lab::Owner;

use super::process::wait_for;

pub const IMAGE: &str = "firedrill/redis:local";

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Builds the image of this machine's redis-server, once.
pub fn image() -> &'static str {
    static MADE: Once = Once::new();
    MADE.call_once(|| {
        let made = Command::new(root().join("scripts/redis-image.sh")).arg(IMAGE).output().unwrap();
        assert!(made.status.success(), "{}", text(&made));
    });
    IMAGE
}

/// Everything that a command printed.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The owners of the drills' containers that exist now.
pub fn owners() -> Vec<Owner> {
    let format = "{{.Label \"firedrill.owner\"}}";
    let listed = Command::new("docker")
        .args(["ps", "--all", "--filter", "label=firedrill.owner", "--format", format])
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", text(&listed));
    String::from_utf8_lossy(&listed.stdout).lines().map(|owner| owner.parse().unwrap()).collect()
}

/// The labels of containers whose drill has ended.
pub fn leftovers() -> Vec<String> {
    owners().into_iter().filter(|owner| owner.is_gone()).map(|owner| owner.to_string()).collect()
}

/// docker-compose.yml, started under a unique name, on a port that Docker chooses: one that is free now may be taken by another
/// test before Docker has it. Ends with this value.
pub struct Compose {
    project: String,
    port: u16,
}

impl Compose {
    /// Its Redis, ready for commands; `purpose` distinguishes it from others of this process.
    pub fn up(purpose: &str) -> Self {
        let project = format!("firedrill-test-{purpose}-{}", std::process::id());
        let mut compose = Self { project, port: 0 };
        let up = compose.run(&["up", "--detach", "redis"]);
        assert!(up.status.success(), "{}", text(&up));
        let published = compose.run(&["port", "redis", "6379"]);
        let address: SocketAddr = String::from_utf8_lossy(&published.stdout).trim().parse().unwrap();
        assert!(address.ip().is_loopback(), "{address}");
        compose.port = address.port();
        let client = redis::Client::open(compose.url()).unwrap();
        wait_for("the compose file's Redis", Duration::from_secs(60), || {
            redis::cmd("PING").query::<String>(&mut client.get_connection().ok()?).ok()
        });
        compose
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub fn project(&self) -> &str {
        &self.project
    }

    fn run(&self, arguments: &[&str]) -> Output {
        // The plugin if it is installed, else the older program.
        let plugin = Command::new("docker").args(["compose", "version"]).output().unwrap().status.success();
        let mut command = if plugin { Command::new("docker") } else { Command::new("docker-compose") };
        if plugin {
            command.arg("compose");
        }
        command.args(["--file"]).arg(root().join("docker-compose.yml")).args(["--project-name", &self.project]);
        command.args(arguments).env("REDIS_IMAGE", image()).env("REDIS_PORT", "0");
        command.output().unwrap()
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        let _ = self.run(&["down", "--volumes", "--timeout", "1"]);
    }
}
