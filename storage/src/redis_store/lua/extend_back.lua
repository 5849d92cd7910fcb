-- extend_back: ARGV ttl, base's version, base's write, `heard` (see write_back). Keeps a session that was used in a
-- fallback alive for at least `ttl` more if Redis's copy is still the base. Returns {1}; {0} if Redis has no such
-- session; {2, tombstone, time, now} if another process has destroyed it since; {3, version, value} if Redis's copy is
-- not the base; {4, tombstone, new id} if it was renamed since.
local destroyed, at, heir = tombstone()
local base, heard = tonumber(ARGV[4]), tonumber(ARGV[6])
if heir then return answer({4, destroyed, heir}) end
if ended(destroyed, at, base, heard, -1) then return answer({2, destroyed, at, micros()}) end
local version, user, _, _, _, last = stored()
if not version then return answer({0}) end
if version ~= base or last ~= ARGV[5] then return answer({3, version, redis.call('GET', KEYS[1])}) end
local ttl = tonumber(ARGV[3])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
if user then keep_index(user, ttl, HOUR / 2) end
return answer({1})
