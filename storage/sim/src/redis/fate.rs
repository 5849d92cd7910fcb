//! What goes wrong between a process and the server.

/// What becomes of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The connection is cut before it is carried out.
    CutBefore,
    /// The connection is cut after it was carried out, before the answer.
    CutAfter,
    /// It is carried out, and never answered.
    Unanswered,
    /// It arrives this many milliseconds late.
    Late(u64),
    /// Its reply arrives this many milliseconds late.
    LateAnswer(u64),
}

/// How a process is cut off from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// Nothing arrives, without an error: connections hang.
    Silent,
    /// Open connections end, new ones are refused.
    Refused,
}
