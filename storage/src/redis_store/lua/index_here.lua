-- index_here: one server has sessions and indexes, so that both change in one step.
local function index_key(user)
  return ARGV[1] .. 'user:' .. user
end

-- The index outlives its longest-lived entry by an hour.
local function keep_index(user, ttl)
  local key = index_key(user)
  if redis.call('PTTL', key) < ttl + HOUR then redis.call('PEXPIRE', key, ttl + HOUR) end
end

-- Notes the write in the user's index and looks whether some of its older entries still have a session: any of them, so
-- that old sessions that live on do not hide those that are gone.
local function index(user, ttl)
  local key, now = index_key(user), millis()
  local score = string.format('%.3f', now)
  if type(redis.pcall('ZADD', key, score, ARGV[2])) == 'table' then
    -- The value is written: what stands where the index should be must not make it fail half-way.
    if redis.call('TYPE', key).ok ~= 'zset' then redis.call('DEL', key) end
    redis.call('ZADD', key, score, ARGV[2])
  end
  keep_index(user, ttl)
  local before = string.format('%.3f', now - ttl - HOUR)
  local some, count = 16, redis.call('ZCOUNT', key, '-inf', before)
  local skip = math.floor(now * 1000) % math.max(count - some + 1, 1)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', before, 'LIMIT', skip, some)) do
    if redis.call('EXISTS', ARGV[1] .. id) == 0 then redis.call('ZREM', key, id) end
  end
end

local function unindex(user)
  redis.call('ZREM', index_key(user), ARGV[2])
end

local function answer(what)
  return what
end

