//! How a managed Redis keeps its data across a restart.

use std::fmt;
use std::str::FromStr;

/// What Redis writes to its folder, and how eagerly.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Persistence {
    /// Append-only file, synced once per second.
    #[default]
    AofEverysec,
    /// Append-only file, synced before every answer.
    AofAlways,
    /// Append-only file, synced whenever the kernel likes.
    AofNo,
    /// Snapshots only, by Redis's default rules (after 1 h with 1 change, 5 min with 100, 1 min with 10,000).
    Rdb,
    /// Nothing: a restart finds an empty server.
    None,
}

impl Persistence {
    /// Every way, in the order of the documentation.
    pub const ALL: [Persistence; 5] =
        [Persistence::AofEverysec, Persistence::AofAlways, Persistence::AofNo, Persistence::Rdb, Persistence::None];

    /// The word used in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Persistence::AofEverysec => "aof-everysec",
            Persistence::AofAlways => "aof-always",
            Persistence::AofNo => "aof-no",
            Persistence::Rdb => "rdb",
            Persistence::None => "none",
        }
    }

    /// Whether it writes every change to an append-only file.
    pub fn has_append_file(self) -> bool {
        matches!(self, Persistence::AofEverysec | Persistence::AofAlways | Persistence::AofNo)
    }

    /// The redis.conf lines for this persistence.
    pub(in crate::lab) fn settings(self) -> &'static str {
        match self {
            Persistence::AofEverysec => "save \"\"\nappendonly yes\nappendfsync everysec\n",
            Persistence::AofAlways => "save \"\"\nappendonly yes\nappendfsync always\n",
            Persistence::AofNo => "save \"\"\nappendonly yes\nappendfsync no\n",
            Persistence::Rdb => "save 3600 1 300 100 60 10000\nappendonly no\n",
            Persistence::None => "save \"\"\nappendonly no\n",
        }
    }
}

impl fmt::Display for Persistence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The word names no kind of persistence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a persistence: use aof-everysec, aof-always, aof-no, rdb or none")]
pub struct UnknownPersistence(String);

impl FromStr for Persistence {
    type Err = UnknownPersistence;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Persistence::ALL.into_iter().find(|way| way.name() == word).ok_or_else(|| UnknownPersistence(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_back_and_match_the_serialised_form() {
        for way in Persistence::ALL {
            assert_eq!(way.name().parse(), Ok(way));
            assert_eq!(serde_json::to_string(&way).unwrap(), format!("\"{}\"", way.name()));
        }
    }

    #[test]
    fn an_unknown_word_lists_the_known_ones() {
        let error = "aof".parse::<Persistence>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"aof\" is not a persistence: use aof-everysec, aof-always, aof-no, rdb or none"
        );
    }
}
