-- create: ARGV ttl, user, value (only its beginning if it was sent ahead), whether to keep the index ('1'). Returns the
-- version, or 0 if the id is taken.
if redis.call('EXISTS', KEYS[1]) == 1 then return answer(reject(0)) end
local destroyed, _, heir = tombstone()
if heir then return answer(reject(renamed())) end
local version = write(destroyed + 1, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6])
return answer(version)
