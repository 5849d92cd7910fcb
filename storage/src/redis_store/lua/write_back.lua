-- write_back: ARGV ttl, user, value (how it begins where it was sent ahead),
-- whether to keep the index ('1'), base, version, age, who asks. Writes a session that lived in a fallback, if Redis's copy is
-- still at `base` (0: absent). `age`: milliseconds since the fallback last made it whole (create
-- or put), -1 where it only changed it. Who asks is '' unless a destroy of their own may have taken effect unheard of: then
-- their own tombstone does not count. Answers {1, version} written; {2, tombstone} destroyed elsewhere since;
-- {3, version, value} Redis's copy is at another version.
local version, user = stored()
local me = ARGV[10] ~= '' and ARGV[10] or nil
local destroyed, at = tombstone(me)
local base, age = tonumber(ARGV[7]), tonumber(ARGV[9])
if destroyed > base and (age < 0 or at > millis() - age) then return answer(reject({2, destroyed})) end
if version and version ~= base then return answer(reject({3, version, redis.call('GET', KEYS[1])})) end
local next = math.max(tonumber(ARGV[8]), (version or 0) + 1, destroyed + 1)
local written = write(next, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6], user)
if type(written) == 'table' then return written end
return answer({1, written})
