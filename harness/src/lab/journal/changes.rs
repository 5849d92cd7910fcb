//! A drill's changes to a server, recorded on that server before they are made, so that any machine can undo them.
//!
//! Each change is an ACL user without rights or password, disabled, whose only key pattern is the undo record: JSON in
//! hexadecimal digits.
//!
//! ```text
//! user firedrill-change-9f86d081884c7d65-0 off ~7b22756e646f22… -@all
//! ```
//!
//! An ACL user lives exactly as long as the settings it records: until the server restarts. It is never evicted, it can
//! be written while the server is out of memory or a replica, and only users who may see password digests anyway can
//! see it.

use redis::Cmd;

use super::record::Undo;

const USER: &str = "firedrill-change-";

/// A change recorded on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The drill's token.
    pub token: String,
    /// The change's number in that drill.
    pub id: u64,
    /// How to undo it, or the unreadable text found instead.
    pub undo: Result<Undo, String>,
}

impl Recorded {
    /// Removes the record.
    pub fn forget(&self) -> Cmd {
        forget(&self.token, self.id)
    }
}

/// Records change `id` of the drill with this `token`, replacing any earlier record of that change.
///
/// # Errors
/// If the record cannot be written as JSON.
pub fn announce(token: &str, id: u64, undo: &Undo) -> Result<Cmd, serde_json::Error> {
    let digits: String = serde_json::to_vec(undo)?.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg(user(token, id)).arg("reset").arg(format!("~{digits}"));
    Ok(command)
}

/// Removes the record of change `id`.
pub fn forget(token: &str, id: u64) -> Cmd {
    redis::cmd("ACL").arg("DELUSER").arg(user(token, id)).clone()
}

/// Lists all records; [`parse`] reads the answer.
pub fn list() -> Cmd {
    redis::cmd("ACL").arg("LIST").clone()
}

/// The changes among the `lines` of ACL LIST, sorted by drill and number.
pub fn parse(lines: &[String]) -> Vec<Recorded> {
    let mut found: Vec<Recorded> = lines.iter().filter_map(|line| recorded(line)).collect();
    found.sort_by(|one, other| (&one.token, one.id).cmp(&(&other.token, other.id)));
    found
}

fn user(token: &str, id: u64) -> String {
    format!("{USER}{token}-{id}")
}

fn recorded(line: &str) -> Option<Recorded> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (token, id) = words.next()?.strip_prefix(USER)?.rsplit_once('-')?;
    let digits = words.find_map(|word| word.strip_prefix('~')).unwrap_or_default();
    let undo = bytes(digits)
        .ok_or_else(|| "it is not in hexadecimal digits".to_owned())
        .and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
    Some(Recorded { token: token.to_owned(), id: id.parse().ok()?, undo })
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undo() -> Undo {
        Undo::Primary { value: "10.0.0.1 6379".into(), set: vec!["192.0.2.1 1".into()] }
    }

    #[test]
    fn a_change_is_read_back_from_the_list_of_users() {
        let packed = announce("9f86", 3, &undo()).unwrap().get_packed_command();
        let packed = String::from_utf8(packed).unwrap();
        let pattern = packed.split("\r\n").find(|word| word.starts_with('~')).unwrap();
        let lines = [
            "user default on nopass sanitize-payload ~* &* +@all".to_owned(),
            format!("user firedrill-change-9f86-3 off sanitize-payload {pattern} resetchannels -@all"),
            "user firedrill-change-9f86-1 off ~zz -@all".to_owned(),
        ];
        let found = parse(&lines);
        assert_eq!(
            found.iter().map(|change| (change.token.as_str(), change.id)).collect::<Vec<_>>(),
            [("9f86", 1), ("9f86", 3)]
        );
        assert!(found[0].undo.is_err(), "an operator may have touched it");
        assert_eq!(found[1].undo, Ok(undo()));
    }
}
