-- What every script shares. KEYS[1] is the session, KEYS[2] its tombstone, KEYS[3] (where there is one) a value sent
-- ahead; ARGV[1] the key prefix, ARGV[2] the id.
-- A session is {"version":N,"data":{..}} or {"version":N,"user":"..","data":{..}} and then perhaps spaces; N is followed
-- by spaces up to a width of 16, so that it can be overwritten in place. What a script needs stands in front: nothing is
-- ever decoded here. Users are percent-encoded and need no escaping.
local HOUR = 3600000

local function millis()
  local t = redis.call('TIME')
  return t[1] * 1000 + t[2] / 1000
end

-- Version and user of the stored session; false where there is none, version 0 where the value is not a session.
local function stored()
  local head = redis.call('GETRANGE', KEYS[1], 0, 2047)
  if head == '' then return false end
  local version, user = string.match(head, '^{"version":(%d+) *,"user":"([^"]*)","data":')
  version = version or string.match(head, '^{"version":(%d+) *,"data":')
  return tonumber(version or 0), user
end

local function corrupt()
  return redis.error_reply('CORRUPT the value has no version')
end

-- A destroyed session leaves its last version and the time behind, so that no copy of it comes back.
local function tombstone()
  local stone = redis.call('GET', KEYS[2])
  if not stone then return 0, 0 end
  local version, at = string.match(stone, '^(%d+) (%d+)')
  return tonumber(version or 0), tonumber(at or 0)
end

local function index_key(user)
  return ARGV[1] .. 'user:' .. user
end

-- The index outlives its longest-lived entry by an hour.
local function keep_index(key, ttl)
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
  keep_index(key, ttl)
  local before = string.format('%.3f', now - ttl - HOUR)
  local some, count = 16, redis.call('ZCOUNT', key, '-inf', before)
  local skip = math.floor(now * 1000) % math.max(count - some + 1, 1)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', before, 'LIMIT', skip, some)) do
    if redis.call('EXISTS', ARGV[1] .. id) == 0 then redis.call('ZREM', key, id) end
  end
end

local function set_version(key, version)
  redis.call('SETRANGE', key, 11, string.format('%d', version))
end

-- Answers without writing; a value sent ahead is not needed.
local function reject(answer)
  if KEYS[3] then redis.call('UNLINK', KEYS[3]) end
  return answer
end

-- Writes a session whole, with its lifetime. `user` is '' for nobody. A large value does not pass through here: it was
-- sent ahead to a key of its own, and takes the session's place.
local function write(version, user, data, ttl, previous_user)
  if KEYS[3] then
    if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('STAGING the value sent ahead is gone') end
    set_version(KEYS[3], version)
    redis.call('RENAME', KEYS[3], KEYS[1])
    redis.call('PEXPIRE', KEYS[1], ttl)
  else
    local head = string.format('{"version":%-16d,', version)
    if user ~= '' then head = head .. '"user":"' .. user .. '",' end
    redis.call('SET', KEYS[1], head .. '"data":' .. data, 'PX', ttl)
  end
  if previous_user and previous_user ~= user then redis.call('ZREM', index_key(previous_user), ARGV[2]) end
  if user ~= '' then index(user, ttl) end
  return version
end

