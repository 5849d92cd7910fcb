//! A server's refusal, fit for display.

/// Longer than any refusal of Redis; an unknown server may send more.
const LONGEST: usize = 200;

/// Where Redis begins to repeat the command it received.
const REPEATED: &str = ", with args beginning with";

/// A server's refusal in its own words, without private parts: the user's name, the arguments that were sent, and
/// unprintable characters. `line` is the error as the server sent it, the code first, without the minus sign.
pub fn refusal_in_words(line: &str) -> String {
    let line = line.find(REPEATED).map_or(line, |at| &line[..at]);
    // Redis 7.2: "NOPERM User NAME has no permissions to run the 'get' command". A name may contain anything but
    // spaces.
    let line = match (line.split_once(" User "), line.split_once(" has no permissions")) {
        (Some((before, _)), Some((_, after))) => format!("{before} the user has no permissions{after}"),
        _ => line.to_owned(),
    };
    line.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_words_and_neither_user_nor_arguments() {
        let words = [
            (
                "OOM command not allowed when used memory > 'maxmemory'.\r",
                "OOM command not allowed when used memory > 'maxmemory'.",
            ),
            (
                "NOPERM User sam has no permissions to run the 'get' command",
                "NOPERM the user has no permissions to run the 'get' command",
            ),
            (
                "NOPERM this user has no permissions to run the 'get' command",
                "NOPERM this user has no permissions to run the 'get' command",
            ),
            ("ERR unknown command 'GOT', with args beginning with: 's:42' 'secret' ", "ERR unknown command 'GOT'"),
            (
                "WRONGPASS invalid username-password pair or user is disabled.",
                "WRONGPASS invalid username-password pair or user is disabled.",
            ),
        ];
        for (line, expected) in words {
            assert_eq!(refusal_in_words(line), expected);
        }
        assert_eq!(refusal_in_words(&"é".repeat(900)).chars().count(), LONGEST);
    }
}
