-- What every script shares. KEYS[1] is the session, KEYS[2] its tombstone, KEYS[3] (where there is one) a value sent
-- ahead; ARGV[1] the key prefix, ARGV[2] the id.
-- A session is {"version":N,"data":{..}} or {"version":N,"user":"..","data":{..}} and then perhaps spaces; N is followed
-- by spaces up to a width of 16, so that it can be overwritten in place. What a script needs stands in front: nothing is
-- ever decoded here. Users are percent-encoded and need no escaping. An encrypted session is
-- {"version":N,"base":M,"user":"..","sealed": and segments, M being the version at which it was last written whole.
local HOUR = 3600000

local function millis()
  local t = redis.call('TIME')
  return t[1] * 1000 + t[2] / 1000
end

-- Version and user of the stored session; false where there is none, version 0 where the value is not a session. Then
-- the head as far as it was read, and where in it the body begins: "data": or "sealed":.
local function stored()
  local head = redis.call('GETRANGE', KEYS[1], 0, 2047)
  if head == '' then return false end
  local version, at = string.match(head, '^{"version":(%d+) *,()')
  if not version then return 0 end
  at = string.match(head, '^"base":%d+ *,()', at) or at
  local user, behind = string.match(head, '^"user":"([^"]*)",()', at)
  at = behind or at
  if not (string.find(head, '^"data":', at) or string.find(head, '^"sealed":', at)) then return 0 end
  return tonumber(version), user, at, head
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

-- Notes the write in the user's index and looks whether its oldest entries still have a session.
local function index(user, ttl)
  local key, now = index_key(user), millis()
  redis.call('ZADD', key, string.format('%.3f', now), ARGV[2])
  keep_index(key, ttl)
  local old = redis.call('ZRANGEBYSCORE', key, '-inf', string.format('%.3f', now - ttl - HOUR), 'LIMIT', 0, 16)
  for _, id in ipairs(old) do
    if redis.call('EXISTS', ARGV[1] .. id) == 0 then redis.call('ZREM', key, id) end
  end
end

local function set_version(key, version)
  redis.call('SETRANGE', key, 11, string.format('%d', version))
end

-- The version as it stands in a value that is written whole; `body` is, or begins as, what follows the head.
local function versions(version, body)
  if string.byte(body, 2) ~= 115 then return string.format('%-16d', version) end
  return string.format('%-16d,"base":%-16d', version, version)
end

-- Answers without writing; a value sent ahead is not needed.
local function reject(answer)
  if KEYS[3] then redis.call('UNLINK', KEYS[3]) end
  return answer
end

-- Writes a session whole, with its lifetime. `user` is '' for nobody, `body` what follows the head. A large value does not
-- pass through here: it was sent ahead to a key of its own, and takes the session's place; `body` is then its first word.
local function write(version, user, body, ttl, previous_user)
  if KEYS[3] then
    if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('STAGING the value sent ahead is gone') end
    redis.call('SETRANGE', KEYS[3], 11, versions(version, body))
    redis.call('RENAME', KEYS[3], KEYS[1])
    redis.call('PEXPIRE', KEYS[1], ttl)
  else
    local head = '{"version":' .. versions(version, body) .. ','
    if user ~= '' then head = head .. '"user":"' .. user .. '",' end
    redis.call('SET', KEYS[1], head .. body, 'PX', ttl)
  end
  if previous_user and previous_user ~= user then redis.call('ZREM', index_key(previous_user), ARGV[2]) end
  if user ~= '' then index(user, ttl) end
  return version
end

