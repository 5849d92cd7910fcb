//! What a store promises, as a set of properties: a fault says which of them it breaks on the server itself, a checker
//! which of them it relies on. If the two meet, the checker would blame the store for what the fault did.

use bitflags::bitflags;

bitflags! {
    /// Properties of a Redis that a session store builds on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Property: u8 {
        /// An acknowledged write stays until it is overwritten, deleted or expires.
        const WRITES = 1;
        /// An acknowledged deletion stays: what is gone does not come back.
        const DESTROYS = 1 << 1;
        /// What one client has claimed by an atomic command, no other can claim.
        const CLAIMS = 1 << 2;
        /// A key lives as long as it was given.
        const EXPIRY = 1 << 3;
        /// The index of a user's sessions holds exactly those that exist.
        const INDEX = 1 << 4;
        /// Every key is given a lifetime.
        const LIFETIMES = 1 << 5;
    }
}
