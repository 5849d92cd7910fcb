//! How a connection is opened: TCP, TLS if the URL asks for it, and HELLO with user and password.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind,
    RedisConnectionInfo, RedisError, RedisResult, Value,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use super::address::Address;
use super::build_error::{BuildError, InvalidUrl};
use super::failure::{connect_reason, unreachable_reason};
use super::news::News;
use super::tls::{self, Tls, TlsError, TlsOptions};
use super::words::refusal_in_words;
use crate::event::EventSink;
use crate::network::{self, Network};
use crate::planted;
use crate::refusals::Refusals;

/// The password for a new connection, asked each time; `None`: the URL's. Must not block.
pub type PasswordSource = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// A parsed URL.
pub(super) struct Url {
    pub(super) address: Address,
    pub(super) dialer: Dialer,
}

/// Opens connections with one user, to any server.
#[derive(Clone)]
pub(super) struct Dialer {
    login: RedisConnectionInfo,
    password: Option<PasswordSource>,
    tls: Option<Tls>,
    /// Opens streams; `None`: by TCP.
    network: Option<Arc<dyn Network>>,
    news: Arc<News>,
    refusals: Arc<Refusals>,
}

impl Url {
    pub(super) fn parse(
        url: &str,
        options: &TlsOptions,
        network: Option<Arc<dyn Network>>,
        news: Arc<News>,
        events: EventSink,
    ) -> Result<Self, BuildError> {
        if options.strict && !url.starts_with("rediss://") {
            return Err(TlsError::NotTls.into());
        }
        let info = url.into_connection_info().map_err(|_| InvalidUrl)?;
        let (address, tls) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (Address::new(host, *port), None),
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(TlsError::Insecure.into()),
            ConnectionAddr::TcpTls { host, port, .. } => (Address::new(host, *port), Some(Tls::new(options)?)),
            _ => return Err(InvalidUrl.into()),
        };
        if tls.is_none() && options.protects() {
            return Err(TlsError::Unused.into());
        }
        // RESP3, because only with RESP3 does the client report that a connection has ended.
        let login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let refusals = Arc::new(Refusals::new(events));
        Ok(Self { address, dialer: Dialer { login, password: None, tls, network, news, refusals } })
    }
}

impl Dialer {
    /// Connects the same way with another user, or none, and without a database: for sentinels.
    pub(super) fn with_login(&self, user: Option<&str>, password: Option<&str>) -> Self {
        let mut login = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
        if let Some(user) = user {
            login = login.set_username(user);
        }
        if let Some(password) = password {
            login = login.set_password(password);
        }
        // Sentinels have no sessions to report.
        let news = Arc::new(News::new(None));
        let refusals = Arc::clone(&self.refusals);
        Self { login, password: None, tls: self.tls.clone(), network: self.network.clone(), news, refusals }
    }

    /// Connects with the password that `source` gives at the time.
    pub(super) fn with_password(self, source: Option<PasswordSource>) -> Self {
        Self { password: source, ..self }
    }

    /// The login of a new connection.
    fn login(&self) -> RedisConnectionInfo {
        let login = self.login.clone();
        match self.password.as_ref().and_then(|source| source()) {
            Some(password) => login.set_password(password),
            None => login,
        }
    }

    /// What connections learn.
    pub(super) fn news(&self) -> Arc<News> {
        Arc::clone(&self.news)
    }

    /// Why an open connection could not be used, fit for a log. If the server refused, its own words are reported.
    pub(super) fn failed(&self, error: &RedisError) -> String {
        if let Some(code) = error.code() {
            let words = || refusal_in_words(&format!("{code} {}", error.detail().unwrap_or_default()));
            self.refusals.report(code, words);
        }
        connect_reason(error)
    }

    /// What to check if a connection was neither made nor refused in time.
    pub(super) fn hint(&self) -> &'static str {
        if self.tls.is_some() { " (does it speak TLS on this port?)" } else { "" }
    }
    /// The number of the database that connections select.
    pub(super) fn database(&self) -> i64 {
        self.login.db()
    }

    /// Opens a connection on the current runtime. `ended` is called once, when it has ended. There is no deadline here:
    /// the callers know when theirs began. The error is the reason, fit for a log.
    pub(super) async fn dial(
        &self,
        address: &Address,
        ended: impl Fn() + Send + Sync + 'static,
    ) -> Result<Wire, String> {
        match &self.network {
            None => {
                let tcp = network::tcp((address.host.as_str(), address.port)).await;
                self.secure(address, tcp.map_err(|error| unreachable_reason(&error))?, ended).await
            }
            Some(network) => {
                let stream = network.connect(&address.host, address.port).await;
                self.secure(address, stream.map_err(|error| unreachable_reason(&error))?, ended).await
            }
        }
    }

    async fn secure<S>(
        &self,
        address: &Address,
        stream: S,
        ended: impl Fn() + Send + Sync + 'static,
    ) -> Result<Wire, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match &self.tls {
            None => self.greet(stream, ended).await,
            Some(tls) => {
                let secured = tls.secure(&address.host, stream).await.map_err(|error| error.to_string())?;
                self.greet(secured, ended).await
            }
        }
    }

    async fn greet<S>(&self, stream: S, ended: impl Fn() + Send + Sync + 'static) -> Result<Wire, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let news = Arc::clone(&self.news);
        let on_push = move |push: PushInfo| -> Result<(), redis::aio::SendError> {
            match push.kind {
                PushKind::Disconnection => ended(),
                PushKind::Invalidate => {
                    // `nil` in place of keys means all of them, after a FLUSHALL.
                    let lists = push.data.iter().filter_map(|data| data.as_sequence());
                    for key in lists.flatten() {
                        if let Value::BulkString(key) = key {
                            news.changed(key);
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(on_push);
        let (connection, driver) = MultiplexedConnection::new_with_config(&self.login(), stream, config)
            .await
            .map_err(|error| tls::late_reason(&error).unwrap_or_else(|| self.failed(&error)))?;
        let driver = tokio::spawn(planted::carried(driver));
        Ok(Wire { connection, _driver: Arc::new(Driver(driver.abort_handle())) })
    }
}

/// An open connection. Dropping its last copy closes it, even if replies are still due on it.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) connection: MultiplexedConnection,
    _driver: Arc<Driver>,
}

struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Wire {
    /// Sends one command and waits for its reply.
    pub(super) async fn ask(&self, parts: &[&str]) -> RedisResult<Value> {
        let mut cmd = redis::cmd(parts.first().copied().unwrap_or_default());
        cmd.arg(parts.get(1..).unwrap_or_default());
        self.connection.clone().send_packed_command(&cmd).await.and_then(Value::extract_error)
    }
}
