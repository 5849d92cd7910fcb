-- extend_back: ARGV ttl, base. Lets a session that was used in a fallback live at least `ttl` more. Answers the version,
-- 0 where Redis has no such session, minus the tombstone where it was destroyed elsewhere since `base`.
local destroyed = tombstone()
if destroyed > tonumber(ARGV[4]) then return answer(-destroyed) end
local version, user = stored()
if not version then return answer(0) end
local ttl = tonumber(ARGV[3])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
if user then keep_index(user, ttl, HOUR / 2) end
return answer(version)
