//! The changes to its scenario with which a run was made, from the command or the code that repeats it.

/// The `--set` changes in `replay`, as they were given.
pub(super) fn changes(replay: &str) -> Vec<String> {
    if replay.starts_with("Drill::") {
        return in_code(replay);
    }
    let words = words(replay);
    let set = words.windows(2).filter(|pair| pair[0] == "--set");
    set.map(|pair| pair[1].clone()).collect()
}

/// The words of a command line, with POSIX quotes taken away.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' => words.extend(word.take()),
            '\'' => word.get_or_insert_default().extend(letters.by_ref().take_while(|letter| *letter != '\'')),
            '\\' => word.get_or_insert_default().extend(letters.next()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// The changes in a line of Rust: `.set("store.policy", "degrade")`.
fn in_code(line: &str) -> Vec<String> {
    let calls = line.split(".set(\"").skip(1);
    calls.filter_map(|call| Some(call.split_once("\")")?.0.replacen("\", \"", "=", 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_from_a_command_and_from_code() {
        let line = "firedrill run redis-outage --seed 7 --set store.policy=degrade --set 'gates.\"recovery\"=<= 1s' --workers 1";
        assert_eq!(changes(line), ["store.policy=degrade", "gates.\"recovery\"=<= 1s"]);
        assert_eq!(changes(r"firedrill run 'a b.toml' --set 'x=it'\''s'"), ["x=it's"]);
        let code = "Drill::shipped(\"redis-outage\").seed(7).set(\"store.ttl\", \"2s\").target(..).run()";
        assert_eq!(changes(code), ["store.ttl=2s"]);
        assert_eq!(changes("firedrill run calm --seed 7"), [""; 0]);
    }
}
