-- far_leave: KEYS[1] a user's index; ARGV id, score. Drops the entry if it still has this score; with score '' it drops
-- it whatever the score.
if ARGV[2] ~= '' and redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
