//! The static binary, its bill of materials, and the image, each used without anything of this machine.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use firedrill::lab::{ManagedConfig, ManagedRedis};
use firedrill_reports::Run;
use tempfile::TempDir;

use super::{printed, short_scenario, succeeded};
use crate::support::docker::{root, text};
use crate::support::{firedrill, room_for_one, validated};

const BILLS: &str = "cyclonedx/schema/_res/bom-1.6.SNAPSHOT.schema.json";

/// `firedrill`, linked statically of the library that these tests use: the work of seconds. `scripts/dist.sh` compiles everything
/// anew, which `make test-all` has time for.
pub static LINKED: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let files = std::fs::read_dir(&deps).unwrap().map(|entry| entry.unwrap().path());
    let libraries = files.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libfiredrill-") && name.ends_with(".rlib")
    });
    let library = libraries.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("firedrill");
    let mut rustc = Command::new("rustc");
    rustc.args([
        "--edition",
        "2024",
        "--crate-name",
        "firedrill",
        "-C",
        "target-feature=+crt-static",
        "-C",
        "strip=symbols",
    ]);
    rustc.arg("--extern").arg(format!("firedrill={}", library.display()));
    rustc.arg("-L").arg(format!("dependency={}", deps.display()));
    succeeded(rustc.arg(root().join("harness/src/main.rs")).arg("-o").arg(&binary));
    (folder, binary)
});

/// A Redis of the test's own, which containers reach as `localhost`.
struct Redis {
    redis: ManagedRedis,
    _runtime: tokio::runtime::Runtime,
}

impl Redis {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let redis = runtime.block_on(ManagedRedis::start(&ManagedConfig::default())).unwrap();
        Self { redis, _runtime: runtime }
    }

    fn url(&self) -> String {
        format!("redis://localhost:{}", self.redis.address().port())
    }
}

/// `docker run` with the network of this machine, and `folder` as `/work`.
fn container(folder: &Path) -> Command {
    let mut docker = Command::new("docker");
    docker.args(["run", "--rm", "--network", "host", "--user"]);
    let owner = folder.metadata().unwrap();
    docker.arg(format!("{}:{}", owner.uid(), owner.gid()));
    docker.arg("--volume").arg(format!("{}:/work", folder.display()));
    docker
}

#[test]
fn a_static_binary_drills_in_an_empty_root() {
    const EMPTY: &str = "firedrill/empty:local";
    succeeded(Command::new("bash").args(["-c", &format!("tar -c -T /dev/null | docker import - {EMPTY}")]));
    let folder = tempfile::tempdir().unwrap();
    short_scenario(folder.path(), "short", "");
    let redis = Redis::start();
    let _room = room_for_one();
    let mut docker = container(folder.path());
    docker.arg("--volume").arg(format!("{}:/firedrill:ro", LINKED.1.display()));
    docker.args(["--env", "FIREDRILL_STATE=/work/state", "--workdir", "/work", EMPTY]);
    let drilled =
        docker.args(["/firedrill", "run", "short.toml", "--out", "runs", "--redis", &redis.url()]).output().unwrap();
    let run =
        Run::load(&folder.path().join("runs/short")).unwrap_or_else(|error| panic!("{error}\n{}", text(&drilled)));
    assert_eq!(drilled.status.code(), Some(run.exit_status), "{}", text(&drilled));
    assert!(run.checks.iter().any(|check| check.examined > 0), "{:?}", run.checks);
}

#[test]
fn binaries_that_need_shared_libraries_are_no_release() {
    let folder = Path::new(env!("CARGO_BIN_EXE_firedrill")).parent().unwrap();
    let made = Command::new(root().join("scripts/dist.sh")).arg("--from").arg(folder).output().unwrap();
    assert_eq!(made.status.code(), Some(4), "{}", text(&made));
    assert!(text(&made).contains("firedrill is not static: it needs shared libraries"), "{}", text(&made));
}

/// The bill of materials, printed into a file.
fn bill(folder: &Path) -> PathBuf {
    let file = folder.join("firedrill.cdx.json");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    std::fs::write(&file, succeeded(Command::new(root().join("scripts/sbom.py")).arg(target)).stdout).unwrap();
    file
}

#[test]
fn the_bill_of_materials_is_cyclonedx_and_has_every_crate_that_is_linked_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = bill(folder.path());
    let bill = validated(BILLS, &file).unwrap();
    let components = bill["components"].as_array().unwrap();
    let listed: BTreeSet<&str> = components.iter().map(|one| one["name"].as_str().unwrap()).collect();
    // What rustc was told to link: each of these is a crate in the static binary.
    for name in ["redis", "rustls", "ring", "tokio", "firedrill-storage", "firedrill-proxy", "clap"] {
        assert!(listed.contains(name), "{name}: {listed:?}");
    }
    for name in ["proptest", "criterion", "firedrill-fuzz", "serde_derive"] {
        assert!(!listed.contains(name), "{name} is not linked in");
    }
    let own = |one: &&serde_json::Value| one["name"].as_str().unwrap().starts_with("firedrill");
    for one in components.iter().filter(|one| !own(one)) {
        assert_eq!(one["hashes"][0]["content"].as_str().map(str::len), Some(64), "{one}");
        assert!(one["licenses"][0]["expression"].is_string(), "{one}");
    }
    // The judge can say no.
    let spoilt = std::fs::read_to_string(&file).unwrap().replace("\"SHA-256\"", "\"SHA-257\"");
    std::fs::write(&file, spoilt).unwrap();
    let refused = validated(BILLS, &file).unwrap_err();
    assert!(refused.contains("SHA-257"), "{refused}");
}

#[test]
fn the_manual_has_a_page_for_every_command_and_groff_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(firedrill().args(["man", "--out"]).arg(folder.path().join("man1")));
    let pages: BTreeSet<String> = std::fs::read_dir(folder.path().join("man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for page in ["firedrill.1", "firedrill-run.1", "firedrill-capacity.1", "firedrill-heal.1", "firedrill-man.1"] {
        assert!(pages.contains(page), "{page}: {pages:?}");
    }
    let help = printed(firedrill().arg("--help"));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands =
        commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    assert_eq!(commands.filter(|name| *name != "help").count() + 1, pages.len(), "{pages:?}");
    let mut groff = Command::new("groff");
    groff.args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(folder.path().join("man1/firedrill-run.1"));
    let shown = groff.output().unwrap();
    assert!(shown.status.success() && shown.stderr.is_empty(), "{}", text(&shown));
    let shown = text(&shown);
    for part in ["--baseline <DIR>", "\n           2  the command line or the scenario is wrong\n"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let page = printed(firedrill().arg("man").env("FIREDRILL_REDIS", "redis://:hunter2@localhost"));
    assert!(page.contains(".TH firedrill 1") && !page.contains("hunter2"), "{page}");
}

#[test]
#[ignore = "builds for minutes: `make test-all` runs it"]
fn a_release_is_whole_and_its_image_drills_the_application() {
    const IMAGE: &str = "firedrill/firedrill:test";
    let script = |name: &str| Command::new(root().join("scripts").join(name));
    succeeded(script("dist.sh").args(["--profile", "drill"]));
    let dist = root().join("target/dist");
    succeeded(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&dist));
    let name = format!("firedrill-{}-{}-linux", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    validated(BILLS, &dist.join(format!("{name}.cdx.json"))).unwrap();
    let listed = printed(Command::new("tar").arg("-tzf").arg(dist.join(format!("{name}.tar.gz"))));
    for file in ["firedrill", "session-server", "LICENSE-MIT", "man/firedrill-run.1", "completions/firedrill.bash"] {
        assert!(listed.lines().any(|line| line == format!("{name}/{file}")), "{file}: {listed}");
    }

    succeeded(script("image.sh").arg(IMAGE));
    let folder = tempfile::tempdir().unwrap();
    short_scenario(folder.path(), "short", "[target]\nkind = \"app\"\n");
    let redis = Redis::start();
    let mut docker = container(folder.path());
    docker.args([IMAGE, "run", "short.toml", "--out", "runs", "--redis", &redis.url()]);
    let drilled = docker.output().unwrap();
    let run =
        Run::load(&folder.path().join("runs/short")).unwrap_or_else(|error| panic!("{error}\n{}", text(&drilled)));
    assert_eq!((drilled.status.code(), run.exit_status), (Some(0), 0), "{}", text(&drilled));
    let version = printed(container(folder.path()).args([IMAGE, "--version"]));
    assert_eq!(version, printed(Command::new(dist.join(&name).join("firedrill")).arg("--version")));
}
