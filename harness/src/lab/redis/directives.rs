//! Redis's own configuration, as a scenario or a redis.conf gives it: everything but what the lab decides itself.

/// A directive of redis.conf that the lab decides, and what decides it.
fn decided(keyword: &str) -> Option<&'static str> {
    let by = match keyword {
        "port" | "bind" | "bind-source-addr" | "unixsocket" | "unixsocketperm" | "protected-mode" => {
            "the lab listens on a free port of 127.0.0.1"
        }
        "daemonize"
        | "supervised"
        | "pidfile"
        | "logfile"
        | "loglevel"
        | "dir"
        | "dbfilename"
        | "appendfilename"
        | "appenddirname"
        | "always-show-logo"
        | "set-proc-title"
        | "proc-title-template"
        | "oom-score-adj"
        | "oom-score-adj-values" => "the lab runs the process in a folder of its own",
        "save" | "appendonly" | "appendfsync" | "rdbcompression" | "aof-use-rdb-preamble" => "lab.redis.persistence",
        "maxmemory" => "lab.redis.maxmemory",
        "requirepass" | "masterauth" | "masteruser" | "user" | "aclfile" => "the lab's users are its own",
        "replicaof" | "slaveof" | "sentinel" => "lab.topology",
        "include" | "loadmodule" => "what it names may not exist on another machine: write its directives here",
        "enable-debug-command" | "enable-protected-configs" => "the lab needs CONFIG and DEBUG for its faults",
        keyword if ["tls-", "cluster-", "syslog-", "replica-announce-"].iter().any(|of| keyword.starts_with(of)) => {
            "lab.topology"
        }
        _ => return None,
    };
    Some(by)
}

/// Commands that the lab and its faults call by name.
const NEEDED: [&str; 12] =
    ["acl", "client", "config", "debug", "eval", "info", "ping", "role", "scan", "script", "unlink", "pttl"];

/// What a redis.conf gives a lab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisConf {
    /// Its directives for the lab, in order.
    pub directives: Vec<String>,
    /// The keywords that the lab decides itself, without duplicates.
    pub left_out: Vec<String>,
}

impl RedisConf {
    /// Reads the text of a redis.conf.
    ///
    /// # Errors
    /// The first line that the lab cannot work with, by number, and why.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut conf = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            let Some(keyword) = keyword(line) else { continue };
            if decided(&keyword).is_none() {
                check(line).map_err(|problem| format!("line {number}: {problem}"))?;
                conf.directives.push(line.to_owned());
            } else if !conf.left_out.contains(&keyword) {
                conf.left_out.push(keyword);
            }
        }
        Ok(conf)
    }
}

/// The keyword of a line, in lower case; `None` for an empty line or a comment.
fn keyword(line: &str) -> Option<String> {
    let word = line.split_ascii_whitespace().next()?;
    (!word.starts_with('#')).then(|| word.to_ascii_lowercase())
}

/// Checks a directive that a scenario gives.
///
/// # Errors
/// Why a lab cannot have it, in words that follow the directive.
pub fn check(line: &str) -> Result<(), String> {
    if line.chars().any(char::is_control) {
        return Err(format!("{line:?} must be one line, without control characters"));
    }
    let Some(keyword) = keyword(line.trim()) else {
        return Err(format!("{line:?} is no directive: write it as in redis.conf, such as \"timeout 60\""));
    };
    if let Some(by) = decided(&keyword) {
        return Err(format!("`{keyword}` is not yours to set here: {by}"));
    }
    let renamed = line.split_ascii_whitespace().nth(1).unwrap_or_default().to_ascii_lowercase();
    if keyword == "rename-command" && NEEDED.contains(&renamed.trim_matches('"')) {
        return Err(format!("renames {}, which the lab and its faults call", renamed.trim_matches('"').to_uppercase()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_production_file_gives_what_the_lab_does_not_decide() {
        let text = "# production\nport 6379\nbind 0.0.0.0\nsave 900 1\nsave 300 10\nmaxmemory 4gb\n\
                    maxmemory-policy allkeys-lru\n  timeout 300\nclient-output-buffer-limit normal 0 0 0\nrequirepass s3cret\n";
        let conf = RedisConf::read(text).unwrap();
        assert_eq!(
            conf.directives,
            ["maxmemory-policy allkeys-lru", "timeout 300", "client-output-buffer-limit normal 0 0 0"]
        );
        assert_eq!(conf.left_out, ["port", "bind", "save", "maxmemory", "requirepass"]);
    }

    #[test]
    fn a_command_that_the_lab_needs_cannot_be_renamed() {
        assert_eq!(check("rename-command FLUSHALL \"\""), Ok(()));
        assert!(check("rename-command CONFIG \"\"").unwrap_err().contains("CONFIG"));
        assert!(RedisConf::read("timeout 1\nrename-command \"EVAL\" x").unwrap_err().starts_with("line 2: "));
    }

    #[test]
    fn a_directive_is_one_line_and_names_what_decides_it() {
        assert!(check("timeout 1\nport 1").unwrap_err().contains("one line"));
        assert!(check("  ").unwrap_err().contains("no directive"));
        assert!(check("PORT 6379").unwrap_err().contains("free port"));
        assert!(check("appendfsync always").unwrap_err().contains("lab.redis.persistence"));
        assert!(check("tls-port 6380").unwrap_err().contains("lab.topology"));
        assert_eq!(check("lazyfree-lazy-expire yes"), Ok(()));
    }
}
