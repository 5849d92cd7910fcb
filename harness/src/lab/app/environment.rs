//! What a program that the drill starts gets of the harness's own environment.

/// The variables of an application: the log level, the system's trusted authorities, and what it needs to find its interpreter, its
/// packages and a place for temporary files.
const APPLICATION: [&str; 11] = [
    "RUST_LOG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
];

/// What the Compose tool finds its engine by.
const COMPOSE: [&str; 6] =
    ["DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "XDG_RUNTIME_DIR"];

/// The variables that are set, with those that the Compose tool needs if it is the program.
pub(super) fn inherited(compose: bool) -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    let for_tool: &[&'static str] = if compose { &COMPOSE } else { &[] };
    APPLICATION.iter().chain(for_tool).filter_map(|name| Some((*name, std::env::var_os(name)?)))
}
