//! How Redis is deployed, and how connections to it are secured.

use std::path::PathBuf;

use super::reader::Reader;
use crate::redis_store::{ClientCertificate, Credentials, Deployment, TlsOptions};

const NODES_FORM: &str = "host:port, or several separated by commas";

/// Reads how Redis is deployed.
pub(super) fn read(reader: &mut Reader) -> Deployment {
    let sentinels = reader.list("REDIS_SENTINELS", NODES_FORM, |text| host_port(text, "26379"));
    let nodes = reader.list("REDIS_CLUSTER_NODES", NODES_FORM, |text| host_port(text, "6379"));
    let password = reader.text("REDIS_SENTINEL_PASSWORD");
    let user = reader.text("REDIS_SENTINEL_USERNAME");
    let master = reader.text("REDIS_SENTINEL_MASTER");
    if !reader.is_set("REDIS_SENTINELS") {
        for name in ["REDIS_SENTINEL_MASTER", "REDIS_SENTINEL_USERNAME", "REDIS_SENTINEL_PASSWORD"] {
            if reader.is_set(name) {
                reader
                    .problem(&[name, "REDIS_SENTINELS"], "it is for Sentinel: name the sentinels too, or leave it out");
            }
        }
        return nodes.map_or(Deployment::Standalone, |nodes| Deployment::Cluster { nodes });
    }
    if reader.is_set("REDIS_CLUSTER_NODES") {
        reader.problem(
            &["REDIS_CLUSTER_NODES", "REDIS_SENTINELS"],
            "Redis is a cluster or has sentinels: set one of the two",
        );
    }
    if reader.is_set("REDIS_HOST") {
        reader.problem(&["REDIS_HOST", "REDIS_SENTINELS"], "the sentinels say where Redis is: set one of the two");
    }
    if user.is_some() && password.is_none() {
        let both = ["REDIS_SENTINEL_USERNAME", "REDIS_SENTINEL_PASSWORD"];
        reader.problem(&both, "a user needs a password: set both");
    }
    Deployment::Sentinel {
        master: master.unwrap_or_else(|| "mymaster".to_owned()),
        sentinels: sentinels.unwrap_or_default(),
        credentials: password.map(|password| Credentials { user, password }),
    }
}

fn host_port(text: &str, usual: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, usual));
    let plausible = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let fits = !host.is_empty() && host.chars().all(plausible) && port.parse::<u16>().is_ok_and(|port| port != 0);
    fits.then(|| text.to_owned())
}

/// Reads how connections are secured; `is_tls`: whether they are encrypted at all.
pub(super) fn read_tls(reader: &mut Reader, is_tls: bool) -> TlsOptions {
    let asker = if reader.is_set("REDIS_URL") { "REDIS_URL" } else { "REDIS_TLS" };
    let strict = reader.flag("REDIS_STRICT_TLS").unwrap_or(false);
    if strict && !is_tls {
        let expected = "strict TLS accepts only rediss:// (or REDIS_TLS=true)";
        reader.problem(&["REDIS_STRICT_TLS", asker], expected);
    }
    for name in ["REDIS_CA_FILE", "REDIS_CLIENT_CERT_FILE", "REDIS_CLIENT_KEY_FILE", "REDIS_TLS_SERVER_NAME"] {
        if reader.is_set(name) && !is_tls {
            reader.problem(&[name, asker], "it is for TLS: use rediss:// (or REDIS_TLS=true), or leave it out");
        }
    }
    let ca_file = file(reader, "REDIS_CA_FILE");
    let (cert, key) = (file(reader, "REDIS_CLIENT_CERT_FILE"), file(reader, "REDIS_CLIENT_KEY_FILE"));
    if reader.is_set("REDIS_CLIENT_CERT_FILE") != reader.is_set("REDIS_CLIENT_KEY_FILE") {
        reader.problem(&["REDIS_CLIENT_CERT_FILE", "REDIS_CLIENT_KEY_FILE"], "one needs the other: set both");
    }
    let client = cert.zip(key).map(|(cert_file, key_file)| ClientCertificate { cert_file, key_file });
    TlsOptions { ca_file, strict, client, server_name: reader.text("REDIS_TLS_SERVER_NAME") }
}

fn file(reader: &mut Reader, name: &'static str) -> Option<PathBuf> {
    reader
        .parsed(name, "the path of a file that exists", |path| Some(PathBuf::from(path)).filter(|path| path.is_file()))
}
