//! How many sessions fit, and how much memory Redis may be given.

/// A table of keys may hold this many keys per bucket while there is no memory for a larger one (`HASHTABLE_MAX_LOAD_FACTOR`,
/// server.h).
const CROWDED: f64 = 1.618;

/// Bytes of a bucket: a pointer.
const BUCKET: f64 = 8.0;

/// What is left of a machine's memory for everything but Redis.
const SPARED: f64 = 0.1;

/// What a save was seen to copy is one observation: more is planned for.
const COPY_MARGIN: f64 = 1.2;

/// The bytes of a table of `keys`: its buckets are the next power of two (`dictExpand`, dict.c).
pub fn tables(keys: f64) -> f64 {
    // A hair's breadth above a power of two is the rounding of keys per session.
    if keys < 1.0 { 0.0 } else { BUCKET * 2.0_f64.powf((keys.log2() - 1e-9).ceil()) }
}

/// What sessions take in one Redis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Bytes without any session: the server, its buffers, its clients.
    pub base: f64,
    /// Bytes per session, without the tables.
    pub per_session: f64,
    /// Keys per session.
    pub keys: f64,
    /// Keys per session that expire.
    pub expiring: f64,
}

impl Room {
    /// Bytes with this many sessions.
    pub fn bytes(&self, sessions: f64) -> f64 {
        self.base + self.per_session * sessions + self.tables(sessions)
    }

    /// Bytes of the tables of this many sessions.
    pub fn tables(&self, sessions: f64) -> f64 {
        tables(sessions * self.keys) + tables(sessions * self.expiring)
    }

    /// How many sessions fit into `limit` bytes.
    ///
    /// Where the next larger tables would not fit, Redis does not make them: it puts up to 1.6 keys into a bucket
    /// (`dictTypeExpandAllowed`, server.c).
    pub fn within(&self, limit: f64) -> u64 {
        if self.per_session <= 0.0 {
            return 0;
        }
        let mut fit: f64 = 0.0;
        for doublings in 0..60 {
            let full = 2.0_f64.powi(doublings) / self.keys.max(1e-9);
            let tables = self.tables(full);
            fit = (limit - self.base - tables) / self.per_session;
            // While keys move to larger tables, Redis has both.
            let larger = self.bytes(full) + self.tables(full * 2.0);
            if fit > full && larger > limit {
                fit = fit.min(full * CROWDED);
            }
            if fit <= full || larger > limit {
                break;
            }
        }
        fit.max(0.0) as u64
    }
}

/// What a machine needs besides the data of its Redis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Its memory, bytes.
    pub memory: f64,
    /// Resident memory per byte in use.
    pub fragmentation: f64,
    /// Bytes that a save copies without any writes meanwhile.
    pub save: f64,
    /// The share of the data that writes made a save copy.
    pub copied: f64,
}

impl Machine {
    /// The `maxmemory` with which Redis, its fragmentation and the copies of a save stay within nine tenths of the memory:
    /// (0.9 × memory − 1.2 × save) / (fragmentation + 1.2 × copied).
    ///
    /// A save lasts in proportion to the data, so at one rate of writes it copies the same share of any amount of data.
    pub fn recommended(&self) -> f64 {
        let room = (1.0 - SPARED) * self.memory - COPY_MARGIN * self.save;
        (room / (self.fragmentation.max(1.0) + COPY_MARGIN * self.copied)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_grow_by_doubling() {
        assert_eq!([tables(0.0), tables(1_024.0), tables(1_025.0)], [0.0, 8.0 * 1_024.0, 8.0 * 2_048.0]);
    }

    #[test]
    fn as_many_sessions_fit_as_their_bytes_and_tables_allow() {
        let room = Room { base: 1_000_000.0, per_session: 57_472.0, keys: 1.0, expiring: 1.0 };
        let fit = room.within(64.0 * 1_048_576.0);
        assert!(room.bytes(fit as f64) <= 64.0 * 1_048_576.0 && room.bytes(fit as f64 + 1.0) > 64.0 * 1_048_576.0);
        assert_eq!(fit, 1_149);
        assert_eq!(room.within(900_000.0), 0, "not even the server itself");
    }

    #[test]
    fn a_table_that_would_not_fit_is_not_made() {
        // 1 024 keys fit with their table, and 50 more, but not beside the next table of 16 384 bytes.
        let room = Room { base: 0.0, per_session: 100.0, keys: 1.0, expiring: 0.0 };
        assert_eq!(room.within(8_192.0 + 102_400.0 + 5_000.0), 1_074);
        assert_eq!(room.within(8_192.0 + 102_400.0 + 5_000.0 + 8_192.0), 1_155);
        assert_eq!(room.within(8_192.0 + 102_400.0 + 16_384.0), 1_105, "it was made, and the smaller one is gone");
    }

    #[test]
    fn the_recommended_limit_leaves_room_for_fragmentation_and_for_a_save() {
        let machine = Machine { memory: 1_000.0, fragmentation: 1.1, save: 50.0, copied: 0.25 };
        assert!((machine.recommended() - (900.0 - 60.0) / 1.4).abs() < 1e-9);
        assert_eq!(Machine { save: 1_000.0, ..machine }.recommended(), 0.0);
        assert_eq!(Machine { memory: 1_000.0, fragmentation: 0.6, save: 0.0, copied: 0.0 }.recommended(), 900.0);
    }
}
