//! The header by which Toxiproxy numbers its answers: 20 characters that are unique to each.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

const HEADER: HeaderName = HeaderName::from_static("x-toxiproxy-request-id");

/// Marks every answer.
pub(super) async fn mark(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&fresh()) {
        answer.headers_mut().insert(HEADER, id);
    }
    answer
}

/// As Toxiproxy makes them (github.com/rs/xid): 4 bytes of time, 5 of the process, 3 of a counter, in base 32.
fn fresh() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(rand::random);
    static COUNTER: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(rand::random()));
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) as u32;
    let count = COUNTER.fetch_add(1, Relaxed) & 0xff_ffff;
    let process = *PROCESS & 0xff_ffff_ffff;
    let bits = u128::from(time) << 64 | u128::from(process) << 24 | u128::from(count);
    // 20 digits are 100 bits: the last digit has one bit of the 96, and four zeros.
    (0..20).rev().map(|digit| char::from(DIGITS[((bits << 4) >> (5 * digit)) as usize & 31])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_in_order_of_time() {
        let ids: BTreeSet<String> = (0..1_000).map(|_| fresh()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(
            ids.iter().all(
                |id| id.len() == 20 && id.bytes().all(|digit| b"0123456789abcdefghijklmnopqrstuv".contains(&digit))
            )
        );
    }
}
