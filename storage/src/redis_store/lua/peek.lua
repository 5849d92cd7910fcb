-- peek: KEYS[1] a session. Returns its value and remaining lifetime, without extending it.
local value = redis.call('GET', KEYS[1])
if not value then return false end
return {value, redis.call('PTTL', KEYS[1])}
