//! The commands that the store sends, so that a user's rights can be tested before anything depends on them.

/// Every command that a store in one Redis needs, including those of its scripts. Each can be tried in this order on
/// keys of one's own: the earlier commands create what the later ones work on.
///
/// The commands that find servers and tell one Redis process from another (`ROLE`, `INFO`, `CLIENT`) are not listed:
/// without them the store merely knows less.
pub const COMMANDS: &[&str] = &[
    "PING",
    "SET",
    "GET",
    "GETEX",
    "GETRANGE",
    "SETRANGE",
    "STRLEN",
    "EXISTS",
    "TYPE",
    "PTTL",
    "PEXPIRE",
    "TIME",
    "ZADD",
    "ZSCORE",
    "ZCOUNT",
    "ZRANGEBYSCORE",
    "ZREVRANGE",
    "ZREM",
    "RENAME",
    "EVAL",
    "EVALSHA",
    "SCAN",
    "DEL",
    "UNLINK",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The words right after one of `marks` in the files under `folder` that end in `ending`.
    fn named(folder: &Path, ending: &str, marks: &[&str]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                found.extend(named(&path, ending, marks));
            } else if path.extension().is_some_and(|extension| extension == ending) {
                let text = std::fs::read_to_string(&path).unwrap();
                for mark in marks {
                    let names = text.split(mark).skip(1);
                    let words =
                        names.map(|rest| rest.split(|c: char| !c.is_ascii_uppercase()).next().unwrap_or_default());
                    found.extend(words.filter(|word| word.len() > 2).map(str::to_owned));
                }
            }
        }
        found
    }

    #[test]
    fn every_command_that_is_sent_is_listed_and_no_other() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/redis_store");
        let mut sent = named(&folder.join("lua"), "lua", &["redis.call('", "redis.pcall('"]);
        assert!(sent.len() > 10, "{sent:?}");
        let calls = [".arg(\"", "cmd(\"", "Request::plain(\"", "{ \"", "ask(&[\""];
        let optional = ["ASKING", "CLIENT", "CLUSTER", "INFO", "ROLE", "SENTINEL"];
        // Arguments that appear where a command's name may appear.
        let arguments = ["COUNT", "EX", "MATCH", "NX", "PERSIST", "PX"];
        let not_a_command = |name: &String| optional.contains(&&**name) || arguments.contains(&&**name);
        sent.extend(named(&folder, "rs", &calls).into_iter().filter(|name| !not_a_command(name)));
        let listed: BTreeSet<String> = COMMANDS.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(sent, listed);
    }
}
