//! An external Redis with TLS: a private CA, a dedicated user, and a certificate for a host that is not the proxy's.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use firedrill::lab::{Admin, ManagedConfig, ManagedRedis, ServerRole};
use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::support::{FinishedDrill, drill_text, firedrill, signal, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// An external Redis as it comes: it asks for a client certificate (`tls-auth-clients yes`). Its own is only for
/// `localhost`, so it does not match the proxy's address.
struct ForeignTlsRedis {
    redis: ManagedRedis,
    folder: tempfile::TempDir,
}

impl ForeignTlsRedis {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        authority(folder.path());
        let file = |name: &str| folder.path().join(name).display().to_string();
        let directives = format!(
            "tls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients yes\nuser ops on >s3cret ~* &* +@all\n",
            file("server.pem"),
            file("server.key"),
            file("ca.pem")
        );
        let config = ManagedConfig { role: ServerRole::Tls, directives, ..ManagedConfig::default() };
        let redis = ManagedRedis::start(&config).await.unwrap();
        let populate = redis::cmd("DEBUG").arg("POPULATE").arg(10_000).arg("foreign").arg(32).clone();
        redis.admin().query::<()>(&populate).await.unwrap();
        Self { redis, folder }
    }

    fn url(&self) -> String {
        self.url_at("localhost")
    }

    fn url_at(&self, host: &str) -> String {
        format!("rediss://ops:s3cret@{host}:{}/", self.redis.second_port().unwrap())
    }

    /// The address in the URL.
    fn address(&self) -> String {
        format!("localhost:{}", self.redis.second_port().unwrap())
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What it takes to be let in: the authority to trust, the client certificate and its key.
    fn trust(&self) -> [String; 6] {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(file);
        ["--redis-ca".to_owned(), ca, "--redis-cert".to_owned(), cert, "--redis-key".to_owned(), key]
    }

    /// What a drill could have changed on it: keys, settings, users, role.
    async fn snapshot(&self) -> Vec<String> {
        let admin = Admin::new(self.redis.url(), SOON).unwrap();
        let mut snapshot: Vec<String> = admin.query(redis::cmd("CONFIG").arg("GET").arg("*")).await.unwrap();
        snapshot.extend(admin.query::<Vec<String>>(redis::cmd("ACL").arg("LIST")).await.unwrap());
        snapshot.push(admin.query(redis::cmd("DEBUG").arg("DIGEST")).await.unwrap());
        snapshot.push(admin.info().await.unwrap().role);
        snapshot
    }

    fn drill_with(&self, text: &str, more: &[&str]) -> FinishedDrill {
        let (url, trust, address) = (self.url(), self.trust(), self.address());
        let flags = ["--redis", &url, "--allow-server-faults", &address];
        let trust = trust.each_ref().map(String::as_str);
        drill_text(text, &[&flags, &trust[..], more].concat())
    }

    fn drill(&self, text: &str) -> FinishedDrill {
        self.drill_with(text, &[])
    }
}

/// Creates an authority, its certificate for `localhost`, and one for a client.
fn authority(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "Their authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("server.pem"), server.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    std::fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let client = CertificateParams::new(vec!["drill".to_owned()]).unwrap();
    std::fs::write(folder.join("client.pem"), client.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    std::fs::write(folder.join("client.key"), key.serialize_pem()).unwrap();
}

/// Faults one after another, each for 2 s, with a pause in between.
fn faults(policy: &str, checks: &str, kinds: &[&str]) -> String {
    let length = 3 + 4 * kinds.len();
    let mut text = format!(
        "name = \"drilled\"\nabout = \"Faults by TLS.\"\n[store]\npolicy = \"{policy}\"\ntimeout = \"500ms\"\n\
         [[load]]\nrate = \"150/s\"\nfor = \"{length}s\"\nsessions = 60\npayload = \"2KB\"\n\
         mix = {{ create = 1, read = 6, append = 3 }}\n"
    );
    for (at, kind) in kinds.iter().enumerate() {
        text += &format!("[[fault]]\n{kind}\nat = \"{}s\"\nfor = \"2s\"\n", 1 + 4 * at);
    }
    text + checks + "[gates]\n\"during.errors\" = \"<= 90%\"\n"
}

fn all_bit(done: &FinishedDrill) {
    let run = done.run();
    let mute: Vec<_> = run.faults.iter().filter(|fault| !fault.bit).collect();
    assert!(mute.is_empty(), "{mute:#?}");
    for entry in std::fs::read_dir(done.dir()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("s3cret"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_faults_of_the_network_bite_a_store_that_verifies_the_real_host() {
    let foreign = ForeignTlsRedis::start().await;
    let before = foreign.snapshot().await;
    let kinds = [
        "kind = \"proxy.down\"",
        "kind = \"proxy.latency\"\nlatency = \"60ms\"",
        "kind = \"proxy.timeout\"",
        "kind = \"proxy.reset_peer\"",
        "kind = \"proxy.limit_data\"\nbytes = \"20KB\"",
        "kind = \"proxy.slicer\"\nsize = \"64B\"\ndelay = \"100us\"",
        "kind = \"proxy.bandwidth\"\nrate = 20",
    ];
    let done = foreign.drill(&faults("drain", "", &kinds)).expect(0);
    all_bit(&done);
    assert_eq!(foreign.snapshot().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_faults_of_the_server_and_its_keys_reach_it_by_tls_and_are_given_back() {
    let foreign = ForeignTlsRedis::start().await;
    let before = foreign.snapshot().await;
    let kinds = [
        "kind = \"server.oom\"",
        "kind = \"server.readonly\"",
        "kind = \"server.auth\"",
        "kind = \"server.pause\"",
        "kind = \"server.maxclients\"",
        "kind = \"clock.jump\"\nby = \"10m\"",
        "kind = \"keys.corrupt\"\nshare = \"20%\"",
    ];
    let checks = "[checks]\nlost-writes = \"report\"\nread-your-writes = \"report\"\nmonotonic-reads = \"report\"\n\
                  stale-reads = \"report\"\nttl = \"report\"\n";
    let done = foreign.drill(&faults("drain", checks, &kinds)).expect(0);
    all_bit(&done);
    assert_eq!(foreign.snapshot().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_drill_has_left_is_healed_by_tls_with_the_files_of_the_journal() {
    let foreign = ForeignTlsRedis::start().await;
    let before = foreign.snapshot().await;
    let place = tempfile::tempdir().unwrap();
    let scenario = place.path().join("killed.toml");
    let kinds = ["kind = \"server.oom\"", "kind = \"server.auth\""];
    let text =
        faults("drain", "", &kinds).replace("for = \"2s\"", "for = \"30s\"").replace("\"drilled\"", "\"killed\"");
    std::fs::write(&scenario, text).unwrap();
    let state = place.path().join("state");
    let mut command = firedrill();
    command
        .env("FIREDRILL_STATE", &state)
        .env("FIREDRILL_REDIS", foreign.url())
        .args(["run", "--allow-server-faults", &foreign.address()])
        .args(foreign.trust());
    command.arg(&scenario).arg("--out").arg(place.path().join("runs"));
    let mut drill = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let journals = || firedrill::lab::journal::place::journals(&state.join("journals")).unwrap();
    let journal = wait_for("the journal", SOON, || journals().pop());
    let said = || std::fs::read_to_string(&journal).unwrap();
    wait_for("the last fault", SOON, || said().contains("\"undo\":\"passwords\"").then_some(()));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();
    assert_ne!(foreign.snapshot().await, before);
    assert!(said().contains(&foreign.ca().display().to_string()) && !said().contains("s3cret"), "{}", said());

    let mut heal = firedrill();
    heal.env("FIREDRILL_STATE", &state).env("FIREDRILL_REDIS", foreign.url()).arg("heal");
    let healed = heal.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&healed.stdout), String::from_utf8_lossy(&healed.stderr));
    assert_eq!(healed.status.code(), Some(0), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(journals(), Vec::<PathBuf>::new());
    assert_eq!(foreign.snapshot().await, before, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_led_through_the_proxy_by_tls_as_the_store_is() {
    let foreign = ForeignTlsRedis::start().await;
    let before = foreign.snapshot().await;
    let text = faults("drain", "[target]\nkind = \"http\"\n", &["kind = \"proxy.down\""]);
    let binary = crate::support::app::session_server().to_str().unwrap();
    all_bit(&foreign.drill_with(&text, &["--session-server", binary, "--app", "session-server"]).expect(0));
    assert_eq!(foreign.snapshot().await, before);
}

/// The command's exit status and output for these arguments.
fn refused(url: &str, more: &[&str]) -> (Option<i32>, String) {
    let out = tempfile::tempdir().unwrap();
    let mut command = firedrill();
    command.args(["run", "redis-outage", "--redis", url, "--out"]).arg(out.path()).args(more);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("s3cret"), "{said}");
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_a_certificate_is_reported_with_the_cure() {
    let foreign = ForeignTlsRedis::start().await;
    let (url, trust) = (foreign.url(), foreign.trust());
    let trust = trust.each_ref().map(String::as_str);
    let ca = [trust[0], trust[1]];

    let (status, said) = refused(&url, &[]);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("not signed by a trusted CA") && said.contains("--redis-ca FILE"), "{said}");

    let (status, said) = refused(&url, &ca);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("--redis-cert FILE and --redis-key FILE"), "{said}");

    let (status, said) = refused(&url, &[ca[0], ca[1], trust[2], trust[3]]);
    assert_eq!(status, Some(2), "a certificate without its key: {said}");

    let (status, said) = refused(&foreign.url_at("127.0.0.1"), &trust);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("for another host name; give --redis a host that the certificate names"), "{said}");

    let plain = format!("rediss://:s3cret@{}", foreign.redis.address());
    let (status, said) = refused(&plain, &ca);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("TLS") && said.contains("redis://"), "{said}");

    let (status, said) = refused(&url.replace("rediss", "redis"), &[]);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("does it want TLS on this port?"), "{said}");

    for (url, more) in [
        ("redis://:s3cret@localhost:1", ca),
        (&url, ["--redis-ca", "/nowhere/ca.pem"]),
        ("rediss://:s3cret@localhost:1/#insecure", ca),
    ] {
        let (status, said) = refused(url, &more);
        assert_eq!(status, Some(2), "{said}");
    }
    // Plain commands go with the same certificates.
    let plain = "name = \"drilled\"\nabout = \"Plain commands.\"\n[target]\nkind = \"redis\"\n\
                 [[load]]\nrate = \"100/s\"\nfor = \"2s\"\nmix = { create = 1, read = 1 }\n";
    assert_eq!(foreign.drill(plain).expect(0).check("isolation"), "valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_whether_it_can_be_reached() {
    let foreign = ForeignTlsRedis::start().await;
    let ask = |trust: &[String]| {
        let mut command = firedrill();
        command.arg("doctor").env("FIREDRILL_REDIS", foreign.url());
        let output = command.args(trust).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, said) = ask(&foreign.trust());
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("rediss://ops:***@localhost"), "{said}");
    let (status, said) = ask(&[]);
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("--redis-ca FILE") && !said.contains("s3cret"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_and_a_sentinel_are_refused_before_anything_is_written() {
    for (role, directives, what) in [
        (ServerRole::Node, "cluster-enabled yes\ncluster-config-file nodes.conf\n", "a node of a cluster"),
        (ServerRole::Sentinel, "", "a sentinel"),
    ] {
        let config = ManagedConfig { role, directives: directives.to_owned(), ..ManagedConfig::default() };
        let foreign = ManagedRedis::start(&config).await.unwrap();
        let (status, said) = refused(foreign.url().expose(), &[]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(what) && said.contains("lab.topology"), "{said}");
    }
}
