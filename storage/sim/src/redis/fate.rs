//! What goes wrong between a process and the server.

/// What happens to one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The connection is cut before the command is executed.
    CutBefore,
    /// The connection is cut after the command was executed, before its reply.
    CutAfter,
    /// The command is executed but gets no reply.
    Unanswered,
    /// It arrives this many milliseconds late.
    Late(u64),
    /// Its reply arrives this many milliseconds late.
    LateAnswer(u64),
}

/// How a process is cut off from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// Nothing arrives, and there is no error: connections hang.
    Silent,
    /// Open connections end, new ones are refused.
    Refused,
}
