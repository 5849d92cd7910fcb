//! The data commands that the store and its scripts use, with the semantics of Redis 7.

use std::collections::BTreeMap;

use super::keyspace::{Data, Entry, Keyspace};
use super::resp::Reply;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const SYNTAX: &str = "ERR syntax error";

/// Maximum number of keys per SCAN step. Redis may return fewer than requested; fewer keys mean more steps.
const SCAN_STEP: usize = 3;

/// Commands that change something, and those among them that a server without free memory refuses.
const WRITES: [&str; 11] =
    ["SET", "SETRANGE", "ZADD", "GETEX", "PEXPIRE", "DEL", "UNLINK", "RENAME", "ZREM", "FLUSHALL", "APPEND"];
const GROWS: [&str; 4] = ["SET", "SETRANGE", "ZADD", "APPEND"];

/// Whether a command changes anything.
pub fn writes(name: &str) -> bool {
    WRITES.contains(&name)
}

/// Why a server refuses commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `OOM`: commands that need memory.
    OutOfMemory,
    /// `READONLY`: commands that write.
    ReadOnly,
    /// `MISCONF`: commands that write, because the server cannot save.
    CannotSave,
}

impl Refusal {
    /// The error for a refused command.
    pub fn refuses(self, name: &str) -> Option<Reply> {
        let (refused, text) = match self {
            Refusal::OutOfMemory => (GROWS.contains(&name), "OOM command not allowed when used memory > 'maxmemory'."),
            Refusal::ReadOnly => (WRITES.contains(&name), "READONLY You can't write against a read only replica."),
            Refusal::CannotSave => {
                (WRITES.contains(&name), "MISCONF Redis is configured to save RDB snapshots, but it cannot.")
            }
        };
        refused.then(|| Reply::error(text))
    }
}

/// Carries out a data command; `None`: there is no such command. `seed` orders the keys for SCAN, like a server's hash
/// seed.
pub fn execute(keys: &mut Keyspace, seed: u64, name: &str, args: &[Vec<u8>]) -> Option<Reply> {
    let done = match name {
        "GET" => get(keys, args),
        "SET" => set(keys, args),
        "GETEX" => getex(keys, args),
        "GETRANGE" => getrange(keys, args),
        "SETRANGE" => setrange(keys, args),
        "STRLEN" => text(keys, args).map(|text| Reply::Int(text.map_or(0, <[u8]>::len) as i64)),
        "EXISTS" => Ok(Reply::Int(args.iter().filter(|key| keys.get(key).is_some()).count() as i64)),
        "DEL" | "UNLINK" => {
            Ok(Reply::Int(args.iter().filter(|key| keys.get(key).is_some() && keys.set(key, None)).count() as i64))
        }
        "PTTL" => Ok(Reply::Int(match keys.get(key(args)) {
            None => -2,
            Some(Entry { expires: None, .. }) => -1,
            Some(Entry { expires: Some(at), .. }) => (*at - keys.millis()) as i64,
        })),
        "PEXPIRE" => pexpire(keys, args),
        "TYPE" => Ok(Reply::Status(
            match keys.get(key(args)).map(|entry| &entry.data) {
                None => "none",
                Some(Data::Text(_)) => "string",
                Some(Data::Sorted(_)) => "zset",
            }
            .to_owned(),
        )),
        "RENAME" => rename(keys, args),
        "TIME" => {
            let micros = keys.micros;
            let part = |number: u64| Reply::bulk(number.to_string());
            Ok(Reply::Array(vec![part(micros / 1_000_000), part(micros % 1_000_000)]))
        }
        "ZADD" => zadd(keys, args),
        "ZREM" => zrem(keys, args),
        "ZSCORE" => sorted(keys, args)
            .map(|set| set.and_then(|set| set.get(&args[1])).map_or(Reply::Nil, |score| Reply::bulk(double(*score)))),
        "ZCOUNT" => between(keys, args).map(|found| Reply::Int(found.len() as i64)),
        "ZRANGEBYSCORE" => zrangebyscore(keys, args),
        "ZREVRANGE" => zrevrange(keys, args),
        "SCAN" => scan(keys, seed, args),
        "FLUSHALL" => {
            let all: Vec<Vec<u8>> = keys.iter().map(|(key, _)| key.clone()).collect();
            for key in &all {
                keys.set(key, None);
            }
            Ok(Reply::ok())
        }
        _ => return None,
    };
    Some(done.unwrap_or_else(Reply::error))
}

type Outcome = Result<Reply, &'static str>;

fn key(args: &[Vec<u8>]) -> &[u8] {
    args.first().map_or(&[], Vec::as_slice)
}

fn int(bytes: &[u8]) -> Result<i64, &'static str> {
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or(NOT_AN_INTEGER)
}

fn float(bytes: &[u8]) -> Result<f64, &'static str> {
    match bytes {
        b"-inf" => Ok(f64::NEG_INFINITY),
        b"+inf" | b"inf" => Ok(f64::INFINITY),
        _ => std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or("ERR value is not a valid float"),
    }
}

/// Parses a lifetime as sent on the wire; anything but a positive integer is an error.
fn lifetime(keys: &Keyspace, bytes: &[u8]) -> Result<u64, &'static str> {
    let lifetime = int(bytes)?;
    let at = keys.millis().checked_add_signed(lifetime).filter(|at| i64::try_from(*at).is_ok());
    at.filter(|_| lifetime > 0).ok_or("ERR invalid expire time in command")
}

fn text<'a>(keys: &'a Keyspace, args: &[Vec<u8>]) -> Result<Option<&'a [u8]>, &'static str> {
    match keys.get(key(args)).map(|entry| &entry.data) {
        None => Ok(None),
        Some(Data::Text(text)) => Ok(Some(text)),
        Some(Data::Sorted(_)) => Err(WRONG_TYPE),
    }
}

fn sorted<'a>(keys: &'a Keyspace, args: &[Vec<u8>]) -> Result<Option<&'a BTreeMap<Vec<u8>, f64>>, &'static str> {
    match keys.get(key(args)).map(|entry| &entry.data) {
        None => Ok(None),
        Some(Data::Sorted(set)) => Ok(Some(set)),
        Some(Data::Text(_)) => Err(WRONG_TYPE),
    }
}

fn get(keys: &Keyspace, args: &[Vec<u8>]) -> Outcome {
    Ok(text(keys, args)?.map_or(Reply::Nil, Reply::bulk))
}

fn set(keys: &mut Keyspace, args: &[Vec<u8>]) -> Outcome {
    let [key, value, options @ ..] = args else { return Err(SYNTAX) };
    let expires = match options {
        [] => None,
        [px, ttl] if px.eq_ignore_ascii_case(b"PX") => Some(lifetime(keys, ttl)?),
        _ => return Err(SYNTAX),
    };
    keys.set(key, Some(Entry { data: Data::Text(value.clone()), expires }));
    Ok(Reply::ok())
}

fn getex(keys: &mut Keyspace, args: &[Vec<u8>]) -> Outcome {
    let [name, px, ttl] = args else { return Err(SYNTAX) };
    if !px.eq_ignore_ascii_case(b"PX") {
        return Err(SYNTAX);
    }
    let found = get(keys, args)?;
    let expires = lifetime(keys, ttl)?;
    keys.change(name, |entry| entry.expires = Some(expires));
    Ok(found)
}

fn getrange(keys: &Keyspace, args: &[Vec<u8>]) -> Outcome {
    let (start, end) = (int(&args[1])?, int(&args[2])?);
    let text = text(keys, args)?.unwrap_or_default();
    Ok(Reply::bulk(range(text.len(), start, end).map_or(&[][..], |range| &text[range])))
}

/// The meaning of `start..=end` in a list of `length`; negative numbers count from the end.
fn range(length: usize, start: i64, end: i64) -> Option<std::ops::Range<usize>> {
    let length = length as i64;
    let from_end = |at: i64| if at < 0 { length + at } else { at };
    let (start, end) = (from_end(start).max(0), from_end(end).min(length - 1));
    (start <= end).then(|| start as usize..end as usize + 1)
}

fn setrange(keys: &mut Keyspace, args: &[Vec<u8>]) -> Outcome {
    let at = usize::try_from(int(&args[1])?).map_err(|_| "ERR offset is out of range")?;
    let mut value = text(keys, args)?.unwrap_or_default().to_vec();
    let new = &args[2];
    if new.is_empty() {
        return Ok(Reply::Int(value.len() as i64));
    }
    value.resize(value.len().max(at + new.len()), 0);
    value[at..at + new.len()].copy_from_slice(new);
    let length = value.len() as i64;
    let expires = keys.get(key(args)).and_then(|entry| entry.expires);
    keys.set(key(args), Some(Entry { data: Data::Text(value), expires }));
    Ok(Reply::Int(length))
}

fn pexpire(keys: &mut Keyspace, args: &[Vec<u8>]) -> Outcome {
    let ttl = int(&args[1])?;
    if keys.get(key(args)).is_none() {
        return Ok(Reply::Int(0));
    }
    if ttl <= 0 {
        keys.set(key(args), None);
        return Ok(Reply::Int(1));
    }
    let expires = lifetime(keys, &args[1])?;
    keys.change(key(args), |entry| entry.expires = Some(expires));
    Ok(Reply::Int(1))
}

fn rename(keys: &mut Keyspace, args: &[Vec<u8>]) -> Outcome {
    let Some(entry) = keys.get(key(args)).cloned() else { return Err("ERR no such key") };
    keys.set(key(args), None);
    keys.set(&args[1], Some(entry));
    Ok(Reply::ok())
}

fn zadd(keys: &mut Keyspace, args: &[Vec<u8>]) -> Outcome {
    let (only_new, rest) = match args.get(1) {
        Some(nx) if nx.eq_ignore_ascii_case(b"NX") => (true, &args[2..]),
        _ => (false, &args[1..]),
    };
    let [score, member] = rest else { return Err(SYNTAX) };
    let score = float(score)?;
    let set = sorted(keys, args)?;
    let known = set.is_some_and(|set| set.contains_key(member));
    if known && only_new {
        return Ok(Reply::Int(0));
    }
    match set.is_some() {
        true => drop(keys.change(key(args), |entry| {
            if let Data::Sorted(set) = &mut entry.data {
                set.insert(member.clone(), score);
            }
        })),
        false => {
            let data = Data::Sorted([(member.clone(), score)].into());
            keys.set(key(args), Some(Entry { data, expires: None }));
        }
    }
    Ok(Reply::Int(i64::from(!known)))
}

fn zrem(keys: &mut Keyspace, args: &[Vec<u8>]) -> Outcome {
    if !sorted(keys, args)?.is_some_and(|set| set.contains_key(&args[1])) {
        return Ok(Reply::Int(0));
    }
    let left = keys.change(key(args), |entry| match &mut entry.data {
        Data::Sorted(set) => {
            set.remove(&args[1]);
            set.len()
        }
        Data::Text(_) => 1,
    });
    if left == Some(0) {
        keys.set(key(args), None);
    }
    Ok(Reply::Int(1))
}

/// Members ordered by score, then by name.
fn in_order(set: &BTreeMap<Vec<u8>, f64>) -> Vec<(&Vec<u8>, f64)> {
    let mut members: Vec<_> = set.iter().map(|(member, score)| (member, *score)).collect();
    members.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    members
}

fn between(keys: &Keyspace, args: &[Vec<u8>]) -> Result<Vec<(Vec<u8>, f64)>, &'static str> {
    let (low, high) = (float(&args[1])?, float(&args[2])?);
    let members = sorted(keys, args)?.map(in_order).unwrap_or_default();
    let within = members.into_iter().filter(|(_, score)| (low..=high).contains(score));
    Ok(within.map(|(member, score)| (member.clone(), score)).collect())
}

fn zrangebyscore(keys: &Keyspace, args: &[Vec<u8>]) -> Outcome {
    let mut found = between(keys, args)?;
    let mut options = &args[3..];
    let mut scores = false;
    loop {
        match options {
            [] => break,
            [with, rest @ ..] if with.eq_ignore_ascii_case(b"WITHSCORES") => (scores, options) = (true, rest),
            [limit, skip, count, rest @ ..] if limit.eq_ignore_ascii_case(b"LIMIT") => {
                let (skip, count) = (int(skip)? as usize, int(count)? as usize);
                found = found.into_iter().skip(skip).take(count).collect();
                options = rest;
            }
            _ => return Err(SYNTAX),
        }
    }
    Ok(members(found, scores))
}

fn zrevrange(keys: &Keyspace, args: &[Vec<u8>]) -> Outcome {
    let (start, end) = (int(&args[1])?, int(&args[2])?);
    let set = sorted(keys, args)?.map(in_order).unwrap_or_default();
    let all: Vec<_> = set.into_iter().rev().map(|(member, score)| (member.clone(), score)).collect();
    let range = range(all.len(), start, end).unwrap_or_default();
    Ok(members(all[range].to_vec(), args.len() > 3))
}

fn members(found: Vec<(Vec<u8>, f64)>, scores: bool) -> Reply {
    let flat = found.into_iter().flat_map(|(member, score)| {
        let score = scores.then(|| Reply::bulk(double(score)));
        [Some(Reply::Bulk(member)), score].into_iter().flatten()
    });
    Reply::Array(flat.collect())
}

/// A number as Redis 7.0 writes it: `%.17g`.
pub fn double(number: f64) -> String {
    if number == number.trunc() && number.abs() < 1e17 {
        return format!("{number:.0}");
    }
    let exponent = number.abs().log10().floor() as i32;
    let digits = (16 - exponent).clamp(0, 40) as usize;
    let text = format!("{number:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn scan(keys: &Keyspace, seed: u64, args: &[Vec<u8>]) -> Outcome {
    let cursor: u64 =
        std::str::from_utf8(key(args)).ok().and_then(|text| text.parse().ok()).ok_or("ERR invalid cursor")?;
    let (mut pattern, mut kind) = (None, None);
    for option in args[1..].chunks(2) {
        match option {
            [name, value] if name.eq_ignore_ascii_case(b"MATCH") => pattern = Some(value),
            [name, value] if name.eq_ignore_ascii_case(b"TYPE") => kind = Some(value.as_slice()),
            [name, _] if name.eq_ignore_ascii_case(b"COUNT") => {}
            _ => return Err(SYNTAX),
        }
    }
    let mut order: Vec<(u64, &Vec<u8>, &Entry)> =
        keys.iter().map(|(key, entry)| (place(seed, key), key, entry)).filter(|(at, ..)| *at >= cursor).collect();
    order.sort_by_key(|(at, ..)| *at);
    let next = order.get(SCAN_STEP).map_or(0, |(at, ..)| *at);
    let fits = |(_, key, entry): &(u64, &Vec<u8>, &Entry)| {
        let is = match entry.data {
            Data::Text(_) => &b"string"[..],
            Data::Sorted(_) => b"zset",
        };
        pattern.is_none_or(|pattern| matches(pattern, key)) && kind.is_none_or(|kind| kind == is)
    };
    let page = order.iter().take(SCAN_STEP).filter(|found| fits(found)).map(|(_, key, _)| Reply::bulk(key)).collect();
    Ok(Reply::Array(vec![Reply::bulk(next.to_string()), Reply::Array(page)]))
}

/// A key's position in the table of a server with this hash seed; never 0, which begins and ends a scan.
fn place(seed: u64, key: &[u8]) -> u64 {
    let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
    for byte in key {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 29;
    hash.wrapping_mul(0xbf58_476d_1ce4_e5b9).max(1)
}

/// Whether a key matches a pattern of `*`, `?` and escaped characters.
fn matches(pattern: &[u8], key: &[u8]) -> bool {
    match (pattern, key) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=key.len()).any(|skip| matches(rest, &key[skip..])),
        ([b'?', rest @ ..], [_, others @ ..]) => matches(rest, others),
        ([b'\\', c, rest @ ..], [first, others @ ..]) if c == first => matches(rest, others),
        ([c, rest @ ..], [first, others @ ..]) if c == first && *c != b'\\' => matches(rest, others),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(keys: &mut Keyspace, line: &str) -> Reply {
        let parts: Vec<Vec<u8>> = line.split(' ').map(|part| part.as_bytes().to_vec()).collect();
        execute(keys, 1, std::str::from_utf8(&parts[0]).unwrap(), &parts[1..]).unwrap()
    }

    #[test]
    fn a_scan_meets_every_key_that_stays() {
        let mut keys = Keyspace::default();
        for n in 0..20 {
            run(&mut keys, &format!("SET s:{n} x"));
        }
        let (mut cursor, mut met) = ("0".to_owned(), Vec::new());
        loop {
            let Reply::Array(page) = run(&mut keys, &format!("SCAN {cursor} MATCH s:* COUNT 500 TYPE string")) else {
                panic!("not a page")
            };
            let [Reply::Bulk(next), Reply::Array(found)] = page.as_slice() else { panic!("not a page") };
            met.extend(found.clone());
            cursor = String::from_utf8(next.clone()).unwrap();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(met.len(), 20);
    }

    #[test]
    fn scores_are_written_with_seventeen_digits() {
        assert_eq!(double(3.0), "3");
        assert_eq!(double(0.5), "0.5");
        assert_eq!(double(1_700_000_000_000.123), "1700000000000.123");
    }
}
