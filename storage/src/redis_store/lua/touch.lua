-- touch: ARGV ttl. Returns 1, or 0 if there is no session.
local ttl = tonumber(ARGV[3])
if redis.call('PEXPIRE', KEYS[1], ARGV[3]) == 0 then return answer(0) end
local _, user = stored()
if user then keep_index(user, ttl, HOUR / 2) end
return answer(1)
