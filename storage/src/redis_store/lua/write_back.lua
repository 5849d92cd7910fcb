-- write_back: ARGV ttl, user, value (how it begins where it was sent ahead), whether to keep the index ('1'), base's version,
-- version, age, who asks, base's write, when the base was heard of. Writes a session that lived in a fallback, if Redis's copy
-- is still the base (version 0: there was none). `age`: milliseconds since the fallback last made it whole (create or put), -1
-- where it only changed it; `heard` is in milliseconds as well, -1 where there is no base. Who asks is '' unless a destroy of
-- their own may have taken effect unheard of: then their own tombstone does not count. Answers {1, version, root} written;
-- {2, tombstone} destroyed elsewhere since; {3, version, value} Redis's copy is another than the base.
local version, user, _, _, _, last = stored()
local me = ARGV[10] ~= '' and ARGV[10] or nil
local destroyed, at = tombstone(me)
local base, age, heard = tonumber(ARGV[7]), tonumber(ARGV[9]), tonumber(ARGV[12])
-- A server that lost its last writes counts its tombstones lower than the base: then the time tells.
local since = destroyed > base or (destroyed > 0 and heard >= 0 and at > millis() - heard)
if since and (age < 0 or at > millis() - age) then return answer(reject({2, destroyed})) end
if version and (version ~= base or last ~= ARGV[11]) then
  return answer(reject({3, version, redis.call('GET', KEYS[1])}))
end
local next = math.max(tonumber(ARGV[8]), (version or 0) + 1, destroyed + 1)
-- The root is the writer's to say: it knows whether this is the session that Redis has.
local written, line = write(next, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6], user)
if not line then return written end
return answer({1, written, line})
