//! The server-side scripts. Each is one atomic step: value and lifetime, index and tombstone change together or not at
//! all. They run by hash; a server that does not know one yet (`NOSCRIPT`, certainly without effect) is sent the text.

use std::sync::LazyLock;

use redis::Cmd;

/// Arguments of the longest command, keys and names included.
const ARGS: usize = 16;
/// Bytes of what stands before keys and arguments, and of keys and ids of usual length.
const HEAD: usize = 320;

pub(super) struct Script {
    code: &'static str,
    hash: String,
}

impl Script {
    fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }

    /// Starts the command that runs this script by its hash; keys and arguments follow, of about `bytes` bytes.
    pub(super) fn by_hash(&self, keys: usize, bytes: usize) -> Cmd {
        let mut cmd = Cmd::with_capacity(ARGS, bytes + HEAD);
        cmd.arg("EVALSHA").arg(&self.hash).arg(keys);
        cmd
    }

    /// The same command with the script's text, from one made by [`Script::by_hash`].
    pub(super) fn by_text(&self, by_hash: &Cmd) -> Cmd {
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(self.code);
        for arg in by_hash.args_iter().skip(2) {
            if let redis::Arg::Simple(bytes) = arg {
                cmd.arg(bytes);
            }
        }
        cmd
    }
}

macro_rules! scripts {
    ($($(#[$about:meta])* $name:ident = $($file:literal)+;)+) => {
        $($(#[$about])* pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $file, ".lua"))),+)));)+
    };
}

scripts! {
    CREATE = "prelude" "create";
    PUT = "prelude" "put";
    UPDATE = "prelude" "update";
    APPEND = "prelude" "room" "append";
    APPEND_SEALED = "prelude" "room" "append_sealed";
    TOUCH = "prelude" "touch";
    DESTROY = "prelude" "destroy";
    KEEP_INDEX = "prelude" "keep_index";
    WRITE_BACK = "prelude" "write_back";
    EXTEND_BACK = "prelude" "extend_back";
    LIST = "list";
    PROBE = "probe";
}
