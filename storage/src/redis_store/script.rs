//! The server-side scripts. Each is one atomic step: value and lifetime, index and tombstone change together or not at
//! all. They run by hash; if a server does not know one yet (`NOSCRIPT`, certainly without effect), it gets the text.

use std::sync::LazyLock;

use redis::Cmd;

use crate::planted;

/// Number of arguments of the longest command, including keys and names.
const ARGS: usize = 24;
/// Bytes of the header before keys and arguments, and of keys and ids of usual length.
const HEAD: usize = 320;

/// A script's text, and the hash by which the server knows it.
pub(super) struct Script {
    code: &'static str,
    hash: String,
}

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }

    /// The hash by which the server knows it.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// Starts the command that runs this script by its hash. Keys and arguments follow, of about `bytes` bytes.
    pub(super) fn by_hash(&self, keys: usize, bytes: usize) -> Cmd {
        let mut cmd = Cmd::with_capacity(ARGS, bytes + HEAD);
        cmd.arg("EVALSHA");
        match planted::lua(self.code) {
            None => cmd.arg(&self.hash),
            Some(code) => cmd.arg(redis::Script::new(&code).get_hash()),
        };
        cmd.arg(keys);
        cmd
    }

    /// Turns a command made by [`Script::by_hash`] into the same one with the script's text.
    pub(super) fn by_text(&self, by_hash: &Cmd) -> Cmd {
        let mut cmd = redis::cmd("EVAL");
        match planted::lua(self.code) {
            None => cmd.arg(self.code),
            Some(code) => cmd.arg(code),
        };
        for arg in by_hash.args_iter().skip(2) {
            if let redis::Arg::Simple(bytes) = arg {
                cmd.arg(bytes);
            }
        }
        cmd
    }
}

/// A script about one session, in two variants: with the user's index on the same server, or in a slot of its own.
pub(super) struct SessionScript {
    here: Script,
    far: Script,
    /// Whether it uses the session's tombstone. Unless a value is sent ahead, no other script declares that key: while
    /// a slot moves, Redis refuses a script if one of its keys is missing.
    pub(super) tombstone: bool,
}

impl SessionScript {
    pub(super) fn make(&self, far: bool) -> &Script {
        if far { &self.far } else { &self.here }
    }
}

macro_rules! lua {
    ($($file:literal)+) => { Script::new(concat!($(include_str!(concat!("lua/", $file, ".lua"))),+)) };
}

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {
        $(pub(super) static $name: LazyLock<Script> = LazyLock::new(|| lua!($($file)+));)+
    };
}

macro_rules! session_scripts {
    ($($name:ident($tombstone:literal) = $($file:literal)+;)+) => {
        $(pub(super) static $name: LazyLock<SessionScript> = LazyLock::new(|| SessionScript {
            here: lua!("prelude" "index_here" $($file)+),
            far: lua!("prelude" "index_far" $($file)+),
            tombstone: $tombstone,
        });)+
    };
}

session_scripts! {
    CREATE(true) = "write" "create";
    PUT(true) = "write" "put";
    UPDATE(false) = "write" "update";
    APPEND(false) = "room" "append";
    APPEND_SEALED(false) = "room" "append_sealed";
    TOUCH(false) = "touch";
    RENAME(true) = "write" "bury" "rename";
    DESTROY(true) = "bury" "destroy";
    WRITE_BACK(true) = "write" "bury" "ended" "write_back";
    EXTEND_BACK(true) = "ended" "extend_back";
}

scripts! {
    KEEP_INDEX = "prelude" "index_here" "keep_index";
    LIST = "list";
    FAR_ENTER = "prelude" "far_enter";
    FAR_KEEP = "prelude" "far_keep";
    FAR_LEAVE = "far_leave";
    FAR_PAGE = "far_page";
    FAR_OWNED = "prelude" "far_owned";
    PEEK = "peek";
    PROBE = "probe";
}
