-- What every script shares. KEYS[1] is the session, KEYS[2] its tombstone, KEYS[3] (where there is one) a value sent
-- ahead; ARGV[1] the key prefix, ARGV[2] the id.
-- A session is {"version":N,"data":{..}} or {"version":N,"user":"..","data":{..}} and then perhaps spaces; N is followed
-- by spaces up to a width of 16, so that it can be overwritten in place. What a script needs stands in front: nothing is
-- ever decoded here. Users are percent-encoded and need no escaping. An encrypted session is
-- {"version":N,"base":M,"user":"..","sealed": and segments, M being the version at which it was last written whole.
-- ARGV[3] is a lifetime in milliseconds, where there is one. Commands are given it as the text it came as: turning a number
-- into text takes as long as a small command.
local HOUR = 3600000

local function millis()
  local t = redis.call('TIME')
  return t[1] * 1000 + t[2] / 1000
end

-- Version and user of the stored session; false where there is none, version 0 where the value is not a session. Then
-- where in the value the body begins ("data": or "sealed":), and the value's beginning, as far as it was read. Plain
-- comparisons at fixed places, because every pattern costs as much as a command.
local function stored()
  local head = redis.call('GETRANGE', KEYS[1], 0, 127)
  if head == '' then return false end
  local version, at, user = nil, 29, nil
  if string.byte(head, 28) == 44 and string.sub(head, 1, 11) == '{"version":' then
    version = tonumber(string.sub(head, 12, 27))
  else
    -- Not filled up with spaces: an older release wrote it.
    version, at = string.match(head, '^{"version":(%d+) *,()')
    version = tonumber(version or 0)
  end
  if not version or not (version > 0 and version < 1e15) then return 0 end
  if string.sub(head, at, at + 6) == '"base":' then at = at + 24 end
  if string.sub(head, at, at + 7) == '"user":"' then
    local stop = string.find(head, '"', at + 8, true)
    if not stop then
      head = redis.call('GETRANGE', KEYS[1], 0, 4095)
      stop = string.find(head, '"', at + 8, true)
      if not stop then return 0 end
    end
    user, at = string.sub(head, at + 8, stop - 1), stop + 2
  end
  if string.sub(head, at, at + 6) ~= '"data":' and string.sub(head, at, at + 8) ~= '"sealed":' then return 0 end
  return version, user, at, head
end

local function corrupt()
  return redis.error_reply('CORRUPT the value has no version')
end

-- A destroyed session leaves its last version and the time behind, so that no copy of it comes back. Answers both, as
-- seen by the process `me`: the time is when anybody else last destroyed it, 0 for never. `me` may be nil: nobody.
local function tombstone(me)
  local stone = redis.call('GET', KEYS[2])
  if not stone then return 0, 0 end
  -- The last two are who destroyed it, and when anybody but them did; an older release wrote neither.
  local version, at, by, others = string.match(stone, '^(%d+) (%d+) ?(%x*) ?(%d*)')
  if me and by == me then at = others end
  return tonumber(version or '') or 0, tonumber(at or '') or 0
end

local function index_key(user)
  return ARGV[1] .. 'user:' .. user
end

-- The index outlives its longest-lived entry: by an hour when a session comes into it, and always by half an hour.
-- `slack`: by how much it may fall short of the hour.
local function keep_index(key, ttl, slack)
  if redis.call('PTTL', key) < ttl + HOUR - slack then redis.call('PEXPIRE', key, ttl + HOUR) end
end

-- Notes a write in the user's index. Its life is seen to where the entry is new, and where `slack` is given. For a new
-- entry, and else for one write in sixteen, it is also looked whether some of the older entries still have a session: any
-- of them, so that old sessions that live on do not hide those that are gone.
local function index(user, ttl, slack)
  local key, time = index_key(user), redis.call('TIME')
  local score = string.format('%d%03d.%03d', time[1], time[2] / 1000, time[2] % 1000)
  local new = redis.pcall('ZADD', key, score, ARGV[2])
  if type(new) == 'table' then
    -- The value is written: what stands where the index should be must not make it fail half-way.
    if redis.call('TYPE', key).ok ~= 'zset' then redis.call('DEL', key) end
    new = redis.call('ZADD', key, score, ARGV[2])
  end
  if new == 1 then slack = 0 end
  if slack then keep_index(key, ttl, slack) end
  if new ~= 1 and time[2] % 16 ~= 0 then return end
  local before = string.format('%.3f', score - ttl - HOUR)
  local some, count = 16, redis.call('ZCOUNT', key, '-inf', before)
  local skip = math.floor(time[2] / 16) % math.max(count - some + 1, 1)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', before, 'LIMIT', skip, some)) do
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

-- Writes a session whole, with the lifetime ARGV[3], which is also `ttl`. `user` is '' for nobody, `body` what follows the head. A large value does not
-- pass through here: it was sent ahead to a key of its own, and takes the session's place; `body` is then its first word.
-- `keep`: '1' where the index's life is to be seen to.
local function write(version, user, body, ttl, keep, previous_user)
  if KEYS[3] then
    if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('STAGING the value sent ahead is gone') end
    redis.call('SETRANGE', KEYS[3], 11, versions(version, body))
    redis.call('RENAME', KEYS[3], KEYS[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  else
    local head = '{"version":' .. versions(version, body) .. ','
    if user ~= '' then head = head .. '"user":"' .. user .. '",' end
    redis.call('SET', KEYS[1], head .. body, 'PX', ARGV[3])
  end
  if previous_user and previous_user ~= user then redis.call('ZREM', index_key(previous_user), ARGV[2]) end
  if user ~= '' then index(user, ttl, keep == '1' and 0 or nil) end
  return version
end

