//! The ACL user as which a store logs in to the drill's own servers, where it is not the one with all rights: because
//! commands are forbidden to it, or because its password is to change.

use std::fmt;

use super::error::LabError;
use super::url::RedisUrl;

/// Its name.
const NAME: &str = "app";

/// All rights on all keys.
const EVERYTHING: &str = "~* &* +@all";

/// A user with a random password.
#[derive(Clone)]
pub struct StoreUser {
    password: String,
    forbidden: Vec<String>,
}

impl StoreUser {
    /// The user to whom these commands are forbidden: `flushall`, or `client|kill`.
    pub fn without(forbidden: &[String]) -> Self {
        Self { password: format!("{:032x}", rand::random::<u128>()), forbidden: forbidden.to_vec() }
    }

    /// The line of redis.conf that makes the user.
    pub(super) fn directive(&self) -> String {
        self.directive_with(EVERYTHING)
    }

    /// The same with these rights.
    pub(super) fn directive_with(&self, rights: &str) -> String {
        let forbidden: String = self.forbidden.iter().map(|command| format!(" -{command}")).collect();
        format!("user {NAME} on >{} {rights}{forbidden}\n", self.password)
    }

    /// The login of the user on the server at `url`.
    ///
    /// # Errors
    /// Same as [`RedisUrl::with_login`].
    pub(super) fn login(&self, url: &RedisUrl) -> Result<RedisUrl, LabError> {
        url.with_login(NAME, &self.password)
    }
}

impl fmt::Debug for StoreUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUser").field("password", &"…").field("forbidden", &self.forbidden).finish()
    }
}

/// Checks the name of a command that is to be forbidden.
///
/// # Errors
/// What is wrong with it, in words that follow it.
pub fn check_forbidden(command: &str) -> Result<(), String> {
    let word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let category = command.strip_prefix('@').is_some_and(word);
    match category || command.split('|').count() <= 2 && command.split('|').all(word) {
        true => Ok(()),
        false => Err(format!("{command:?} is no command: write \"flushall\", \"client|kill\" or \"@dangerous\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_has_all_rights_but_the_forbidden_ones_and_shows_no_password() {
        let user = StoreUser::without(&["flushall".to_owned(), "client|kill".to_owned()]);
        let line = user.directive();
        assert!(line.starts_with("user app on >") && line.ends_with(" ~* &* +@all -flushall -client|kill\n"), "{line}");
        let url = user.login(&"redis://127.0.0.1:6379".parse().unwrap()).unwrap();
        assert_eq!((url.user(), url.password()), ("app", Some(user.password.as_str())));
        assert!(!format!("{user:?}").contains(&user.password));
    }

    #[test]
    fn what_would_be_another_rule_is_no_command() {
        for command in ["FLUSHALL", "client|kill", "@dangerous", "json.set"] {
            assert_eq!(check_forbidden(command), Ok(()), "{command}");
        }
        for rule in ["", "a b", "flushall ~*", "client|kill|id", ">secret", "@", "get\nuser x on", "|"] {
            assert!(check_forbidden(rule).is_err(), "{rule:?}");
        }
    }
}
