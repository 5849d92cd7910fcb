-- peek: KEYS[1] a session. Answers its value and how long it has still to live, without letting it live any longer.
local value = redis.call('GET', KEYS[1])
if not value then return false end
return {value, redis.call('PTTL', KEYS[1])}
