//! The command line that started a drill, for its record: with nothing in it that nobody may read.

use super::library::Planned;
use super::replay::quoted;
use crate::scenario::Override;
use crate::secret;
use crate::target::fact;

impl Planned {
    /// Records that these arguments started the drill, the program's name first. Passwords in URLs and the values of settings
    /// that are secret, or sound so, are blanked.
    pub fn started_by(&mut self, arguments: impl Iterator<Item = String>) {
        self.0.remarks.push(fact("command line", shown(arguments).join(" ")));
    }
}

fn shown(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut sets = false;
    let show = |argument: String| {
        let (flag, text) = match (sets, argument.strip_prefix("--set=")) {
            (true, _) => ("", Some(&*argument)),
            (false, text) => ("--set=", text),
        };
        let change = text.and_then(|text| text.parse::<Override>().ok());
        sets = !sets && argument == "--set";
        quoted(&change.map_or_else(|| secret::argument(&argument), |change| format!("{flag}{}", change.flag().1)))
    };
    arguments.map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_secret_settings_are_blanked() {
        let line = "firedrill run shop.toml --redis redis://:s3cret@db --set app.env.PLAIN=hunter2 --set=app.env.MORE=hunter2 \
                    --set store.ttl=2s --api-token=abc";
        let words = shown(line.split_whitespace().map(str::to_owned)).join(" ");
        let expected = "firedrill run shop.toml --redis 'redis://***@db' --set 'app.env.PLAIN=***' '--set=app.env.MORE=***' \
                        --set store.ttl=2s '--api-token=***'";
        assert_eq!(words, expected);
    }
}
