//! Reads figures from Redis's INFO.

/// The number after `name` in INFO.
pub(super) fn field(info: &str, name: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
