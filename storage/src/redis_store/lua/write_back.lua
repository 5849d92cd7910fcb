-- write_back: ARGV ttl, user, value (only its beginning if it was sent ahead), whether to keep the index ('1'), base's
-- version, version, age, the caller's process, base's write, how long ago the base was read. Writes a session that
-- lived in a fallback if Redis's copy is still the base (version 0: there was none). `age`: milliseconds since the
-- fallback last wrote it whole (create or put), -1 if it only changed it. `heard`: milliseconds, -1 without a base. The
-- process is '' unless one of its own destroys may have taken effect without a reply: then its own tombstone does not
-- count. Returns {1, version, root} if written; {2, tombstone} if another process has destroyed it since; {3, version,
-- value} if Redis's copy is not the base.
local version, user, _, _, _, last = stored()
local me = ARGV[10] ~= '' and ARGV[10] or nil
local destroyed, at = tombstone(me)
local base, age, heard = tonumber(ARGV[7]), tonumber(ARGV[9]), tonumber(ARGV[12])
-- A server that lost its last writes may give its tombstones lower versions than the base: then the time decides.
local since = destroyed > base or (destroyed > 0 and heard >= 0 and at > millis() - heard)
if since and (age < 0 or at > millis() - age) then return answer(reject({2, destroyed})) end
if version and (version ~= base or last ~= ARGV[11]) then
  return answer(reject({3, version, redis.call('GET', KEYS[1])}))
end
local next = math.max(tonumber(ARGV[8]), (version or 0) + 1, destroyed + 1)
-- The caller chooses the root: it knows whether this is the session that Redis has.
local written, line = write(next, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6], user)
if not line then return written end
return answer({1, written, line})
