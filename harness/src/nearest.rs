//! "Did you mean": which of the known names an unknown one was probably meant to be. Everything that is chosen by name asks
//! here: scenarios, keys, kinds of faults, gates, situations, claims, checkers, policies, defects, topologies, tags.

/// "did you mean `redis-outage`?", if one of `known` is near `name`.
pub(crate) fn did_you_mean<N: AsRef<str>>(name: &str, known: impl IntoIterator<Item = N>) -> Option<String> {
    nearest(name, known).map(|meant| format!("did you mean `{}`?", meant.as_ref()))
}

/// The same for a message in serde's words: "unknown field `polcy`, expected one of `policy`, `ttl`".
pub(crate) fn did_you_mean_in(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field ").or_else(|| message.strip_prefix("unknown variant "))?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let name = quoted.next()?;
    did_you_mean(name, quoted)
}

/// More mistakes than this are another word, however long it is.
const MOST: usize = 3;

/// Longer than any name that is known. Comparing costs the product of both lengths, and a name may be as long as its file.
const LONGEST: usize = 200;

/// The first of the known names with the fewest typing mistakes (Damerau-Levenshtein distance: letters added, left out,
/// replaced or swapped), if there are few for its length: one, or one in three letters
/// up to [`MOST`].
fn nearest<N: AsRef<str>>(name: &str, known: impl IntoIterator<Item = N>) -> Option<N> {
    let name = name.to_lowercase();
    let length = name.chars().count();
    if length > LONGEST {
        return None;
    }
    let mistakes = |known: &N| {
        let letters = known.as_ref().chars().count();
        let longer = length.max(letters);
        let few = (longer / 3).clamp(1, MOST).min(longer.saturating_sub(1));
        // Each letter more or less is a mistake: most names need no closer look.
        if length.abs_diff(letters) > few {
            return None;
        }
        Some(strsim::damerau_levenshtein(&name, &known.as_ref().to_lowercase())).filter(|mistakes| *mistakes <= few)
    };
    let near = known.into_iter().filter_map(|known| Some((mistakes(&known)?, known)));
    near.min_by_key(|(mistakes, _)| *mistakes).map(|(_, near)| near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_few_mistakes_is_recognised() {
        let known = ["redis-outage", "redis-stopped", "rate", "for"];
        for (name, meant) in [
            ("redis-outrage", Some("redis-outage")),
            ("redis-ouatge", Some("redis-outage")),
            ("Redis-Outage", Some("redis-outage")),
            ("redis_outage", Some("redis-outage")),
            ("rat", Some("rate")),
            ("fro", Some("for")),
            ("a", None),
            ("", None),
            ("memory-cleanup", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
        let endless = "x".repeat(LONGEST + 1);
        assert_eq!(nearest(&endless, [endless.as_str()]), None);
    }

    #[test]
    fn a_message_of_serde_names_what_was_expected() {
        let meant = |message: &str| did_you_mean_in(message);
        assert_eq!(
            meant("unknown field `polcy`, expected one of `ttl`, `policy`").as_deref(),
            Some("did you mean `policy`?")
        );
        assert_eq!(
            meant("unknown variant `clster`, expected `cluster` or `tls`").as_deref(),
            Some("did you mean `cluster`?")
        );
        assert_eq!(meant("unknown field `x`, there are no fields"), None);
        assert_eq!(meant("missing field `rate`"), None);
    }
}
