//! TLS with the test's own authority, and users with limited rights: valid settings work, and invalid ones are refused
//! with the reason.

use std::path::PathBuf;
use std::time::Duration;

use firedrill_storage::{
    AppendStore, ClientCertificate, RedisStore, SessionStore, StoreBuilder, StoreError, TlsOptions, TriviaSession,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::support::{HOUR, RedisServer, answer, free_port, id, questions, session};

/// The rights that the guide (docs/storage.md) names for the store's user, on the keys of its prefix.
pub const RIGHTS: &[&str] = &[
    "on",
    ">app-secret",
    "~session:*",
    "resetchannels",
    "-@all",
    "+@read",
    "+@write",
    "+@scripting",
    "+@connection",
    "-@dangerous",
    "+time",
    "+role",
    "+info",
    "+client|kill",
];

/// A certificate authority, and files that it signed.
pub struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        // It needs another name than the certificates it signs: OpenSSL considers a certificate self-signed if issuer
        // and subject are the same.
        params.distinguished_name.push(DnType::CommonName, "Firedrill test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `<name>.pem` and `<name>.key` for these host names and addresses.
    pub fn sign(&self, name: &str, hosts: &[&str]) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(hosts).unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    pub fn options(&self) -> TlsOptions {
        TlsOptions { ca_file: Some(self.file("ca.pem")), strict: true, ..TlsOptions::default() }
    }
}

/// A server with a TLS port next to its plain one.
pub struct TlsServer {
    pub server: RedisServer,
    pub authority: Authority,
    port: u16,
}

impl TlsServer {
    pub fn start() -> Self {
        Self::start_with(&["127.0.0.1", "localhost"], &["--tls-auth-clients", "no"])
    }

    fn start_with(hosts: &[&str], options: &[&str]) -> Self {
        let authority = Authority::new();
        authority.sign("server", hosts);
        let mut port = 0;
        let server = RedisServer::start_by(|| {
            port = free_port();
            let file = |name: &str| authority.file(name).display().to_string();
            let tls = ["--tls-port", &port.to_string(), "--tls-cert-file", &file("server.pem")].map(str::to_owned);
            let keys =
                ["--tls-key-file", &file("server.key"), "--tls-ca-cert-file", &file("ca.pem")].map(str::to_owned);
            [tls.to_vec(), keys.to_vec(), options.iter().map(|option| (*option).to_owned()).collect()].concat()
        });
        Self { server, authority, port }
    }

    pub fn url(&self) -> String {
        self.url_at("127.0.0.1")
    }

    fn url_at(&self, host: &str) -> String {
        format!("rediss://{host}:{}", self.port)
    }
}

fn store(url: &str, tls: TlsOptions) -> RedisStore<TriviaSession> {
    RedisStore::builder(url).connect_timeout(Duration::from_secs(10)).tls(tls).build().unwrap()
}

async fn refusal(url: &str, tls: TlsOptions) -> String {
    let error = store(url, tls).connect().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    error.to_string()
}

fn build_error(url: &str, tls: TlsOptions) -> String {
    RedisStore::<TriviaSession>::builder(url).tls(tls).build().err().unwrap().to_string()
}

#[tokio::test]
async fn a_server_with_a_certificate_of_the_trusted_authority_is_used() {
    let lab = TlsServer::start();
    for host in ["127.0.0.1", "localhost"] {
        let store = store(&lab.url_at(host), lab.authority.options());
        store.connect().await.unwrap();
        let id = id(&host.replace('.', "-"));
        store.create(&id, session(&id, "ada"), HOUR).await.unwrap();
        store.append(&id, answer(1), HOUR).await.unwrap();
        assert_eq!(questions(&store.get(&id, HOUR).await.unwrap().value.unwrap().data), [1]);
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let lab = TlsServer::start();
    let expected =
        "storage unavailable: the server's certificate is not signed by a trusted CA: is the right CA file set?";
    assert_eq!(refusal(&lab.url(), Authority::new().options()).await, expected);
    assert_eq!(refusal(&lab.url(), TlsOptions::default()).await, expected, "the system's authorities do not know it");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let lab = TlsServer::start_with(&["redis.example"], &["--tls-auth-clients", "no"]);
    let expected = "storage unavailable: the server's certificate is for another host name";
    assert_eq!(refusal(&lab.url(), lab.authority.options()).await, expected);
    assert_eq!(refusal(&lab.url_at("localhost"), lab.authority.options()).await, expected);
}

#[tokio::test]
async fn behind_another_address_the_server_shows_the_certificate_of_its_name() {
    let lab = TlsServer::start_with(&["redis.example"], &["--tls-auth-clients", "no"]);
    let named = |name: &str| TlsOptions { server_name: Some(name.to_owned()), ..lab.authority.options() };
    store(&lab.url(), named("redis.example")).connect().await.unwrap();
    let expected = "storage unavailable: the server's certificate is for another host name";
    assert_eq!(refusal(&lab.url(), named("other.example")).await, expected);
}

#[tokio::test]
async fn a_server_that_asks_for_a_client_certificate_gets_it() {
    let lab = TlsServer::start_with(&["127.0.0.1"], &["--tls-auth-clients", "yes"]);
    lab.authority.sign("client", &["app"]);
    let client =
        ClientCertificate { cert_file: lab.authority.file("client.pem"), key_file: lab.authority.file("client.key") };
    let with = TlsOptions { client: Some(client), ..lab.authority.options() };
    store(&lab.url(), with).connect().await.unwrap();
    let without = refusal(&lab.url(), lab.authority.options()).await;
    assert!(without.contains("does it ask for a client certificate?"), "{without}");
}

#[tokio::test]
async fn strict_tls_refuses_every_other_url_without_showing_it() {
    let server = RedisServer::start();
    let strict = TlsOptions { strict: true, ..TlsOptions::default() };
    for url in [server.url(), "redis://u:secret@127.0.0.1:1".into(), "http://u:secret@host".into(), "secret".into()] {
        assert_eq!(build_error(&url, strict.clone()), "strict TLS: the Redis URL must begin with rediss://");
    }
    let builder = StoreBuilder { tls: strict, ..StoreBuilder::new(server.url()) };
    assert!(builder.build::<TriviaSession>().is_err(), "the store's builder passes it on");
}

#[tokio::test]
async fn tls_that_would_protect_nothing_is_refused() {
    let authority = Authority::new();
    let insecure = build_error("rediss://u:secret@127.0.0.1:1/#insecure", TlsOptions::default());
    assert!(insecure.contains("certificates are always verified"), "{insecure}");
    let unused = build_error("redis://127.0.0.1:1", TlsOptions { strict: false, ..authority.options() });
    assert!(unused.contains("does not begin with rediss://"), "{unused}");
}

#[tokio::test]
async fn a_plain_server_behind_a_tls_url_is_named() {
    let server = RedisServer::start();
    let url = server.url().replace("redis://", "rediss://");
    let store = RedisStore::<TriviaSession>::builder(&url)
        .tls(Authority::new().options())
        .connect_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let error = store.connect().await.unwrap_err().to_string();
    assert!(error.contains("TLS"), "{error}");
}

#[tokio::test]
async fn a_user_limited_to_the_prefix_has_all_that_the_store_needs() {
    let lab = TlsServer::start();
    let mut redis = lab.server.look();
    redis::cmd("ACL").arg("SETUSER").arg("app").arg(RIGHTS).exec(&mut redis).unwrap();
    let url = lab.url().replace("rediss://", "rediss://app:app-secret@");
    let store = store(&url, lab.authority.options());
    let (a, b) = (id("a"), id("b"));
    let big =
        TriviaSession::sized(b.clone(), firedrill_storage::UserId::Number(7), 50_000, firedrill_storage::Timestamp(0));
    store.create(&a, session(&a, "ada"), HOUR).await.unwrap();
    store.create(&b, big.clone(), HOUR).await.unwrap();
    store.put(&b, big.clone(), HOUR).await.unwrap();
    store.update(&b, 2, big, HOUR).await.unwrap();
    store.append(&a, answer(1), HOUR).await.unwrap();
    assert!(store.touch(&a, HOUR).await.unwrap().value);
    assert!(store.get(&a, HOUR).await.unwrap().value.is_some());
    assert_eq!(store.list_by_user("ada", 10).await.unwrap().value, std::slice::from_ref(&a));
    assert_eq!(store.count().await.unwrap().value, 2);
    assert!(store.destroy(&a).await.unwrap().value);
    // The next connection needs the rights to close the previous connection and to read its own role.
    redis::cmd("CLIENT").arg("KILL").arg("USER").arg("app").exec(&mut redis).unwrap();
    crate::support::eventually("it reconnects", async || store.get(&b, HOUR).await.ok()).await;
    let denied: Vec<redis::Value> = redis::cmd("ACL").arg("LOG").query(&mut redis).unwrap();
    assert!(denied.is_empty(), "{denied:?}");
}

#[tokio::test]
async fn a_user_without_the_right_is_refused_by_code_and_a_wrong_password_by_reason() {
    let server = RedisServer::start();
    let mut redis = server.look();
    redis::cmd("ACL").arg("SETUSER").arg("app").arg(RIGHTS).exec(&mut redis).unwrap();
    let url = server.url().replace("redis://", "redis://app:app-secret@");
    let store = RedisStore::<TriviaSession>::builder(&url).prefix("other:").build().unwrap();
    let error = store.create(&id("a"), session(&id("a"), "ada"), HOUR).await.unwrap_err();
    assert!(matches!(&error, StoreError::Refused { code, .. } if code == "NOPERM"), "{error:?}");
    let wrong = url.replace("app-secret", "wrong-secret");
    let error = RedisStore::<TriviaSession>::builder(&wrong).build().unwrap().connect().await.unwrap_err().to_string();
    assert_eq!(error, "storage unavailable: authentication failed: check user and password");
    redis::cmd("ACL").arg("SETUSER").arg("app").arg("-ping").exec(&mut redis).unwrap();
    let error = RedisStore::<TriviaSession>::builder(&url).build().unwrap().connect().await.unwrap_err().to_string();
    assert!(error.contains("lacks a command"), "{error}");
}
