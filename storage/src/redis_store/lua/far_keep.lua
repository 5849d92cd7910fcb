-- far_keep: KEYS[1] a user's index; ARGV id, ttl. A read extends the session's life, so its entry must live on too.
redis.call('ZADD', KEYS[1], 'NX', string.format('%.3f', millis()), ARGV[1])
local life = tonumber(ARGV[2]) + HOUR
if redis.call('PTTL', KEYS[1]) < life then redis.call('PEXPIRE', KEYS[1], life) end
return 1
