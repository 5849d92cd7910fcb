//! The command line that started a drill, for its record: with nothing in it that nobody may read.

use super::library::Planned;
use super::replay::quoted;
use crate::target::fact;

/// Stands for what nobody may read.
const BLANK: &str = "***";

/// The words in the names of settings whose values are secret.
const SECRET: [&str; 6] = ["secret", "password", "passwd", "token", "key", "credential"];

impl Planned {
    /// Records that these arguments started the drill, the program's name first. Passwords in URLs and the values of settings
    /// that sound secret are blanked.
    pub fn started_by(&mut self, arguments: impl Iterator<Item = String>) {
        let words: Vec<String> = arguments.map(|argument| quoted(&blanked(&argument))).collect();
        self.0.remarks.push(fact("command line", words.join(" ")));
    }
}

/// `argument` without the user and password of a URL, and without the value of a setting that sounds secret.
fn blanked(argument: &str) -> String {
    for (at, _) in argument.match_indices('=') {
        let name = argument[..at].rsplit(['.', '-', '=']).next().unwrap_or_default().to_lowercase();
        if SECRET.iter().any(|word| name.contains(word)) {
            return format!("{}={BLANK}", &argument[..at]);
        }
    }
    let Some((before, rest)) = argument.split_once("://") else { return argument.to_owned() };
    // A password may contain anything, so what precedes the last @ of the whole is user and password.
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{before}://{BLANK}@{host}"),
        None => argument.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_secret_settings_are_blanked() {
        for (given, shown) in [
            ("redis://db.example:6379", "redis://db.example:6379"),
            ("redis://app:s3cr@t@db.example:6379/2", "redis://***@db.example:6379/2"),
            ("--redis=rediss://:s3cret/with?odd#signs@db", "--redis=rediss://***@db"),
            ("app.env.SESSION_SECRET=hunter2", "app.env.SESSION_SECRET=***"),
            ("app.env.API_TOKEN=abc=def", "app.env.API_TOKEN=***"),
            ("--set=app.env.DB_PASSWORD=x", "--set=app.env.DB_PASSWORD=***"),
            ("store.policy=degrade", "store.policy=degrade"),
            ("during.errors=<= 1%", "during.errors=<= 1%"),
        ] {
            assert_eq!(blanked(given), shown);
        }
    }
}
