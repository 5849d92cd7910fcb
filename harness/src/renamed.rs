//! Names of earlier releases. Each registered thing keeps its own old names; they are refused with a message that gives the
//! new name.

/// "`lost-answers` is now called `lost-writes`", if one of `entries`, each a name and its former ones, was called `name`.
pub(crate) fn hint(
    name: &str,
    entries: impl IntoIterator<Item = (&'static str, &'static [&'static str])>,
) -> Option<String> {
    let (now, _) = entries.into_iter().find(|(_, formerly)| formerly.contains(&name))?;
    Some(format!("`{name}` is now called `{now}`"))
}

#[cfg(test)]
mod tests {
    use crate::{check, scenario};

    #[test]
    fn no_former_name_is_anything_s_present_one() {
        let checkers = check::all().iter().map(|checker| (checker.facts().name, checker.facts().formerly));
        let scenarios = scenario::shipped().iter().map(|shipped| (shipped.name, shipped.formerly));
        let (names, formerly): (Vec<&str>, Vec<&[&str]>) = checkers.chain(scenarios).unzip();
        let formerly = formerly.concat();
        assert!(formerly.len() >= 4, "{formerly:?}");
        for old in formerly {
            assert!(!names.contains(&old), "{old}");
        }
    }
}
