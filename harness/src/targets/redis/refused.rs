//! What a command of one's own must not be.

use super::super::kind::Flaw;
use super::super::wiring::{Carries, CommandSpec, RedisTargetSpec};
use super::template::{Part, Place, parts};
use crate::history::OpKind;
use crate::nearest::did_you_mean;

/// Commands that a load must not send, by what they would do.
const REFUSED: [(&str, &[&str]); 5] = [
    (
        "it changes the connection, which the target keeps for other operations too",
        &[
            "AUTH",
            "HELLO",
            "SELECT",
            "QUIT",
            "RESET",
            "CLIENT",
            "MULTI",
            "EXEC",
            "DISCARD",
            "WATCH",
            "UNWATCH",
            "ASKING",
            "READONLY",
            "READWRITE",
        ],
    ),
    (
        "its replies do not end",
        &[
            "SUBSCRIBE",
            "PSUBSCRIBE",
            "SSUBSCRIBE",
            "UNSUBSCRIBE",
            "PUNSUBSCRIBE",
            "SUNSUBSCRIBE",
            "MONITOR",
            "SYNC",
            "PSYNC",
        ],
    ),
    (
        "it waits, and holds up what shares its connection",
        &[
            "BLPOP",
            "BRPOP",
            "BLMOVE",
            "BLMPOP",
            "BRPOPLPUSH",
            "BZPOPMIN",
            "BZPOPMAX",
            "BZMPOP",
            "WAIT",
            "WAITAOF",
            "XREAD",
            "XREADGROUP",
        ],
    ),
    (
        "it acts on the whole server, which others may use",
        &[
            "FLUSHALL",
            "FLUSHDB",
            "SWAPDB",
            "SHUTDOWN",
            "CONFIG",
            "DEBUG",
            "SAVE",
            "BGSAVE",
            "BGREWRITEAOF",
            "REPLICAOF",
            "SLAVEOF",
            "FAILOVER",
            "CLUSTER",
            "SENTINEL",
            "ACL",
            "MODULE",
            "SCRIPT",
            "FUNCTION",
            "LATENCY",
            "SLOWLOG",
            "KEYS",
            "SCAN",
            "RANDOMKEY",
            "MIGRATE",
        ],
    ),
    (
        "it has several keys, which may belong to others or lie on several nodes",
        &[
            "RENAME",
            "RENAMENX",
            "COPY",
            "MSET",
            "MSETNX",
            "MGET",
            "SMOVE",
            "LMOVE",
            "LMPOP",
            "RPOPLPUSH",
            "BITOP",
            "PFMERGE",
            "SORT",
            "SUNION",
            "SINTER",
            "SDIFF",
            "SUNIONSTORE",
            "SINTERSTORE",
            "SDIFFSTORE",
            "ZUNIONSTORE",
            "ZINTERSTORE",
            "ZDIFFSTORE",
            "ZRANGESTORE",
            "GEOSEARCHSTORE",
            "LCS",
            "OBJECT",
            "MEMORY",
        ],
    ),
];

/// Commands without a key.
const KEYLESS: [&str; 5] = ["PING", "ECHO", "TIME", "DBSIZE", "LASTSAVE"];

/// What is wrong with `spec`. Paths are from `target.redis`.
pub(super) fn flaws(spec: &RedisTargetSpec) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for (number, command) in spec.command.iter().enumerate() {
        let mut flaw = |key: &str, message: String, help: &str| {
            flaws.push(Flaw::at(["command", &number.to_string(), key], message, help));
        };
        if let Some((message, help)) = unsendable(command) {
            flaw("send", message, help.as_str());
        }
        if !(command.weight.is_finite() && command.weight > 0.0) {
            flaw("weight", "a weight is above 0".to_owned(), "1 is the default; leave the command out instead");
        }
    }
    let missing = [OpKind::Create, OpKind::Read].into_iter().find(|other| !spec.carries(*other));
    if let (true, Some(missing)) = (spec.carries(OpKind::Append), missing) {
        let message =
            format!("append is a command of your own, and {} is not: it would be a plain string's", missing.name());
        let help = "such as: create and append \"RPUSH {{key}} {{value}}\", read \"LRANGE {{key}} 0 -1\"";
        flaws.push(Flaw::at(["command"], message, help));
    }
    flaws
}

/// Why a command cannot be sent, and what to write instead.
fn unsendable(command: &CommandSpec) -> Option<(String, String)> {
    let words = command.send.words();
    let Some(name) = words.first().map(|word| word.to_uppercase()) else {
        return Some(("there is no command".to_owned(), "write SET {{key}} {{value}}".to_owned()));
    };
    for word in &words {
        match parts(word) {
            Err(unknown) => {
                let names = Place::ALL.map(|(name, _)| name);
                let all = names.map(|name| format!("{{{{{name}}}}}")).join(", ");
                let help = did_you_mean(&unknown, names).unwrap_or(format!("there are {all}"));
                return Some((format!("there is no place {{{{{unknown}}}}}"), help));
            }
            Ok(parts) if parts.len() > 1 && parts.contains(&Part::Place(Place::Value)) => {
                let message = "{{value}} stands alone: its beginning shows whose it is".to_owned();
                return Some((message, "write the rest as a word of its own, or {{token}} in its place".to_owned()));
            }
            Ok(_) => {}
        }
    }
    if let Some((reason, _)) = REFUSED.iter().find(|(_, names)| names.contains(&name.as_str())) {
        return Some((format!("{name} cannot be part of a load: {reason}"), "leave it out".to_owned()));
    }
    if name.contains("{{") {
        return Some(("the first word is the command".to_owned(), "write it out".to_owned()));
    }
    let keyed = words.iter().any(|word| word.contains("{{key}}"));
    if !keyed && (command.carries != Carries::Command || !KEYLESS.contains(&name.as_str())) {
        let message = format!("{name} without {{{{key}}}} would reach keys that are not the drill's, or none");
        return Some((message, "write {{key}} where its key stands".to_owned()));
    }
    let writes = matches!(command.carries, Carries::Create | Carries::Append | Carries::Put);
    if writes && !words.iter().any(|word| word.contains("{{value}}") || word.contains("{{token}}")) {
        let message = format!("{name} leaves nothing by which a read could tell that it took effect");
        return Some((message, "write {{value}} or {{token}} where its value stands, or leave `as` out".to_owned()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaws(text: &str) -> Vec<String> {
        let spec: RedisTargetSpec = toml::from_str(text).unwrap();
        super::flaws(&spec).into_iter().map(|flaw| format!("{}: {}", flaw.path.join("."), flaw.message)).collect()
    }

    #[test]
    fn a_command_that_could_harm_others_or_the_connection_is_refused() {
        for (send, reason) in [
            ("FLUSHALL", "FLUSHALL cannot be part of a load: it acts on the whole server, which others may use"),
            ("subscribe {{key}}", "SUBSCRIBE cannot be part of a load: its replies do not end"),
            (
                "MGET {{key}} other",
                "MGET cannot be part of a load: it has several keys, which may belong to others or lie on several nodes",
            ),
            ("GET somebody", "GET without {{key}} would reach keys that are not the drill's, or none"),
            ("GET {{kye}}", "there is no place {{kye}}"),
            ("SET {{key}} x{{value}}", "{{value}} stands alone: its beginning shows whose it is"),
            ("", "there is no command"),
        ] {
            assert_eq!(flaws(&format!("command = [{{ send = \"{send}\" }}]")), [format!("command.0.send: {reason}")]);
        }
        assert_eq!(
            flaws("command = [{ send = \"PING\" }, { send = [\"EVAL\", \"return 1\", \"1\", \"{{key}}\"] }]"),
            [""; 0]
        );
    }

    #[test]
    fn what_a_command_is_said_to_carry_out_must_be_possible() {
        let found = flaws("command = [{ send = \"SET {{key}} x\", as = \"put\", weight = 0 }]");
        assert_eq!(
            found,
            [
                "command.0.send: SET leaves nothing by which a read could tell that it took effect",
                "command.0.weight: a weight is above 0"
            ]
        );
        let found = flaws("command = [{ send = \"RPUSH {{key}} {{value}}\", as = \"append\" }]");
        assert_eq!(
            found,
            ["command: append is a command of your own, and create is not: it would be a plain string's"]
        );
        assert!(
            toml::from_str::<RedisTargetSpec>("protocol = 4").unwrap_err().to_string().contains("there is no RESP4")
        );
    }
}
