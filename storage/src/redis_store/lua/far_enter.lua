-- far_enter: KEYS[1] a user's index; ARGV id, ttl. Records a write. Returns two of the entries old enough to have lost
-- their session, with their scores. It picks them from anywhere in that range, so that old but live sessions do not
-- hide dead ones.
local now = millis()
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then redis.call('DEL', KEYS[1]) end
redis.call('ZADD', KEYS[1], string.format('%.3f', now), ARGV[1])
local life = tonumber(ARGV[2]) + HOUR
if redis.call('PTTL', KEYS[1]) < life then redis.call('PEXPIRE', KEYS[1], life) end
local before = string.format('%.3f', now - life)
local some, count = 2, redis.call('ZCOUNT', KEYS[1], '-inf', before)
local skip = math.floor(now * 1000) % math.max(count - some + 1, 1)
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'WITHSCORES', 'LIMIT', skip, some)
