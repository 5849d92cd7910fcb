-- probe: KEYS[1] a key of the prober's own. Proves that writes are taken; leaves nothing behind.
redis.call('SET', KEYS[1], '1', 'PX', 1000)
redis.call('DEL', KEYS[1])
return 1
