-- destroy: ARGV version (0, or the fallback's version, which forces a tombstone whatever Redis has), the caller's
-- process. Works on any value. Returns {the tombstone's version, the destroyed session's root}, the version alone if
-- the value has no root, 0 if there was no session. The tombstone lives as long as the session could have lived, and at
-- least an hour.
local counted, me = tonumber(ARGV[3]), ARGV[4]
if redis.call('EXISTS', KEYS[1]) == 0 and counted == 0 then return answer(0) end
local version, user, _, root = 0, nil, nil, nil
if redis.call('TYPE', KEYS[1]).ok == 'string' then version, user, _, _, root = stored() end
local ttl = math.max(redis.call('PTTL', KEYS[1]), HOUR)
local before, others = tombstone(me)
local stone = math.max(counted, (version or 0) + 1, before)
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], string.format('%d %d %s %d', stone, millis(), me, others), 'PX', ttl)
if user then unindex(user) end
return answer(root and root ~= '' and {stone, root} or stone)
