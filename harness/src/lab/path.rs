//! The network path to a server without load: how long a PING takes there and back, and how much longer 64 KB take.

use std::time::{Duration, Instant};

use super::admin::Admin;
use super::error::LabError;

/// PINGs whose median counts.
const PINGS: usize = 15;

/// ECHOs whose median counts: few, as on a slow line each takes seconds.
const ECHOS: usize = 3;

/// Bytes that each ECHO carries there and back: more than a burst that a shaper lets through at once.
const CARRIED: usize = 64 << 10;

/// What a path takes, unloaded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
    /// A PING, there and back.
    pub ping: Duration,
    /// Bytes per second in the slower direction, at least, on one connection; `None` if the server has no ECHO for us, or if bytes
    /// took no time that could be told from a PING's.
    pub carries: Option<f64>,
}

impl Path {
    /// Measures the path of `admin`.
    ///
    /// # Errors
    /// Same as [`Admin::query`].
    pub async fn measure(admin: &Admin) -> Result<Self, LabError> {
        let mut ping = Vec::with_capacity(PINGS);
        for _ in 0..PINGS {
            let sent = Instant::now();
            admin.ping().await?;
            ping.push(sent.elapsed());
        }
        let mut echo = Vec::with_capacity(ECHOS);
        let carried = vec![b'x'; CARRIED];
        for _ in 0..ECHOS {
            let sent = Instant::now();
            // A user may lack the right to it: then there is no such figure.
            if admin.query::<Vec<u8>>(redis::cmd("ECHO").arg(&carried[..])).await.is_err() {
                break;
            }
            echo.push(sent.elapsed());
        }
        Ok(Self::of(ping, echo))
    }

    fn of(ping: Vec<Duration>, echo: Vec<Duration>) -> Self {
        let ping = median(ping).unwrap_or_default();
        let longer = median(echo).and_then(|echo| echo.checked_sub(ping)).filter(|longer| !longer.is_zero());
        Self { ping, carries: longer.map(|longer| CARRIED as f64 / longer.as_secs_f64()) }
    }
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_a_path_carries_follows_from_what_bytes_take_beyond_a_ping() {
        let path = Path::of(vec![MS, 5 * MS, 5 * MS], vec![69 * MS, 9_000 * MS, 2 * MS]);
        assert_eq!(path.ping, 5 * MS);
        assert!((path.carries.unwrap() - 1_024_000.0).abs() < 1.0, "{path:?}");
        assert_eq!(Path::of(vec![5 * MS], vec![4 * MS]).carries, None);
        assert_eq!(Path::of(vec![5 * MS], Vec::new()).carries, None);
    }
}
