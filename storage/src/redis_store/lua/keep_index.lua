-- keep_index: ARGV ttl, user. A read extends the session's life, so its entry in the user's index must live on too.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('ZADD', index_key(ARGV[4]), 'NX', string.format('%.3f', millis()), ARGV[2])
keep_index(ARGV[4], tonumber(ARGV[3]), 0)
return 1
