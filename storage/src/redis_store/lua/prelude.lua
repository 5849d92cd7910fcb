-- What every script shares. KEYS[1] is the session, KEYS[2] its tombstone, KEYS[3] (where there is one) a value sent
-- ahead; ARGV[1] the key prefix, ARGV[2] the id. `index_here` or `index_far` stands between this and the script.
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

local function set_version(key, version)
  redis.call('SETRANGE', key, 11, string.format('%d', version))
end

-- Answers without writing; a value sent ahead is not needed.
local function reject(answer)
  if KEYS[3] then redis.call('UNLINK', KEYS[3]) end
  return answer
end

