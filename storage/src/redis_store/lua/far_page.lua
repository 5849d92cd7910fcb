-- far_page: KEYS[1] a user's index; ARGV start, number. Returns entries with their scores, most recently written first.
return redis.call('ZREVRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
