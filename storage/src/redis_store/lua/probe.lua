-- probe: KEYS[1] the prober's own key. Proves that Redis accepts writes; leaves nothing behind.
redis.call('SET', KEYS[1], '1', 'PX', 1000)
redis.call('DEL', KEYS[1])
return 1
