-- extend_back: ARGV ttl, base's version, base's write, when the base was heard of. Lets a session that was used in a fallback
-- live at least `ttl` more, if Redis's copy is still the base. Answers {1}; {0} where Redis has no such session; {2, tombstone}
-- where it was destroyed elsewhere since; {3, version, value} where Redis's copy is another.
local destroyed, at = tombstone()
local base, heard = tonumber(ARGV[4]), tonumber(ARGV[6])
local since = destroyed > base or (destroyed > 0 and heard >= 0 and at > millis() - heard)
if since then return answer({2, destroyed}) end
local version, user, _, _, _, last = stored()
if not version then return answer({0}) end
if version ~= base or last ~= ARGV[5] then return answer({3, version, redis.call('GET', KEYS[1])}) end
local ttl = tonumber(ARGV[3])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
if user then keep_index(user, ttl, HOUR / 2) end
return answer({1})
