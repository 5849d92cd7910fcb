//! Every fault kind. To add one: its file, and its line here.

use super::entry::Entry;

/// Publishes each kind and lists its entry.
macro_rules! kinds {
    ($($folder:ident::$file:ident::$kind:ident,)*) => {
        $(pub use super::$folder::$file::$kind;)*

        static KINDS: &[Entry] = &[$(Entry::of::<$kind>()),*];
    };
}

// In the order of the documentation.
kinds! {
    proxy::down::Down,
    proxy::latency::Latency,
    proxy::connect_hang::ConnectHang,
    proxy::slow_accept::SlowAccept,
    proxy::timeout::Timeout,
    proxy::bandwidth::Bandwidth,
    proxy::slow_close::SlowClose,
    proxy::reset_peer::ResetPeer,
    proxy::slicer::Slicer,
    proxy::limit_data::LimitData,
    proxy::impostor::Impostor,
    process::kill::Kill,
    process::stop::Stop,
    process::power_loss::PowerLoss,
    process::disk_full::DiskFull,
    process::slow_start::SlowStart,
    app::kill::AppKill,
    app::stop::AppStop,
    app::restart::AppRestart,
    server::readonly::Readonly,
    server::oom::Oom,
    server::auth::Auth,
    server::max_clients::MaxClients,
    server::client_kill::ClientKill,
    server::pause::Pause,
    server::slow::Slow,
    server::idle_timeout::IdleTimeout,
    server::no_replicas::NoReplicas,
    server::promote::Promote,
    server::script_flush::ScriptFlush,
    server::eviction::Eviction,
    sentinel::failover::SentinelFailover,
    sentinel::kill::SentinelKill,
    cluster::failover::ClusterFailover,
    cluster::restart::ClusterRestart,
    cluster::migrate_slots::MigrateSlots,
    tls::certificate::TlsCertificate,
    dns::moved::DnsMoved,
    dns::fails::DnsFails,
    clock::jump::Jump,
    clock::skew::Skew,
    keys::delete::KeysDelete,
    keys::corrupt::KeysCorrupt,
    keys::swap::KeysSwap,
    keys::plain::KeysPlain,
}

/// All kinds.
pub fn kinds() -> &'static [Entry] {
    KINDS
}

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static Entry> {
    KINDS.iter().find(|entry| entry.name == name)
}
