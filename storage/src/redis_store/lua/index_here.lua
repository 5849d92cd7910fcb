-- index_here: one server holds both sessions and indexes, so both change in one step.
local function index_key(user)
  return ARGV[1] .. 'user:' .. user
end

-- The index outlives its longest-lived entry: by an hour when a session enters it, and always by at least half an hour.
-- `slack`: how far the index may fall short of the hour.
local function keep_index(user, ttl, slack)
  local key = index_key(user)
  if redis.call('PTTL', key) < ttl + HOUR - slack then redis.call('PEXPIRE', key, ttl + HOUR) end
end

-- Records a write in the user's index. It extends the index's life for a new entry, and whenever `slack` is given. For
-- a new entry, and otherwise for one write in sixteen, it also checks whether some of the older entries still have a
-- session. It picks them from anywhere in that range, so that old but live sessions do not hide dead ones.
local function index(user, ttl, slack)
  local key, time = index_key(user), redis.call('TIME')
  -- Milliseconds and their fraction stay text throughout: formatting numbers takes as long as the ZADD itself.
  local micros = string.sub('00000' .. time[2], -6)
  local score = time[1] .. string.sub(micros, 1, 3) .. '.' .. string.sub(micros, 4)
  local new = redis.pcall('ZADD', key, score, ARGV[2])
  if type(new) == 'table' then
    -- The value is already written: a key of the wrong type in the index's place must not make the script fail
    -- half-way.
    if redis.call('TYPE', key).ok ~= 'zset' then redis.call('DEL', key) end
    new = redis.call('ZADD', key, score, ARGV[2])
  end
  if new == 1 then slack = 0 end
  if slack then keep_index(user, ttl, slack) end
  if new ~= 1 and time[2] % 16 ~= 0 then return end
  local before = string.format('%.3f', score - ttl - HOUR)
  local some, count = 16, redis.call('ZCOUNT', key, '-inf', before)
  local skip = math.floor(time[2] / 16) % math.max(count - some + 1, 1)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', before, 'LIMIT', skip, some)) do
    if redis.call('EXISTS', ARGV[1] .. id) == 0 then redis.call('ZREM', key, id) end
  end
end

-- A key of the wrong type in the index's place has no entry to remove, and must not fail what is already done.
-- `id`: another session than ARGV[2].
local function unindex(user, id)
  redis.pcall('ZREM', index_key(user), id or ARGV[2])
end

local function answer(what)
  return what
end

