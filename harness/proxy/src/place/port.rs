//! Ports by number or by name, as Go's `net.LookupPort` finds them.

/// The names that every Go program knows, whatever the system's list says.
const KNOWN: &[(&str, u16)] = &[
    ("domain", 53),
    ("ftp", 21),
    ("ftps", 990),
    ("gopher", 70),
    ("http", 80),
    ("https", 443),
    ("imap2", 143),
    ("imap3", 220),
    ("imaps", 993),
    ("pop3", 110),
    ("pop3s", 995),
    ("smtp", 25),
    ("ssh", 22),
    ("submission", 587),
    ("telnet", 23),
];

/// The port that `text` names; none is 0.
///
/// # Errors
/// In Go's words.
pub(super) fn number(text: &str) -> Result<u16, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return named(text).ok_or_else(|| format!("lookup tcp/{text}: unknown port"));
    }
    let invalid = |_| format!("address {text}: invalid port");
    match digits.trim_start_matches('0') {
        "" => Ok(0),
        _ if text.starts_with('-') => Err(format!("address {text}: invalid port")),
        digits => digits.parse().map_err(invalid),
    }
}

fn named(name: &str) -> Option<u16> {
    let services = std::fs::read_to_string("/etc/services").unwrap_or_default();
    let known = KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, port)| *port);
    listed(&services, name).or(known)
}

/// Finds a name or an alias in the system's list: `http  80/tcp  www  # WorldWideWeb HTTP`.
fn listed(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let first = words.next()?;
        let port = words.next()?.strip_suffix("/tcp")?.parse().ok()?;
        std::iter::once(first).chain(words).any(|word| word.eq_ignore_ascii_case(name)).then_some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_its_name_and_its_aliases_for_tcp_alone() {
        let services = "# services\nhttp 80/tcp www # web\ntftp\t69/udp\nredis-test\t16379/tcp\n";
        assert_eq!(listed(services, "www"), Some(80));
        assert_eq!(listed(services, "REDIS-test"), Some(16_379));
        assert_eq!((listed(services, "tftp"), listed(services, "web")), (None, None));
    }
}
