-- Shared by every script. KEYS[1] is the session, KEYS[2] its tombstone, KEYS[3] (if any) a value sent ahead; ARGV[1]
-- the key prefix, ARGV[2] the id. `index_here` or `index_far` comes between this and the script.
--
-- A session is {"version":N,"line":"L","user":"..","data":{..}}, perhaps followed by spaces; without a user the field
-- is left out. N is padded with spaces to a width of 16, so that it can be overwritten in place. L is the session's
-- root and its last write, 8 hexadecimal digits each; older releases wrote none. Everything a script needs is at the
-- front, so no script decodes the data. Users are percent-encoded and need no escaping. An encrypted session is
-- {"version":N,"line":"L","base":M,"user":"..","sealed": and segments; M is the version at which it was last written
-- whole.
--
-- ARGV[3] is a lifetime in milliseconds, if there is one. Commands get it as the original text: formatting a number
-- takes as long as a small command.
local HOUR = 3600000

local function millis()
  local t = redis.call('TIME')
  return t[1] * 1000 + t[2] / 1000
end

-- Returns the stored session's version and user: false if there is none, version 0 if the value is not a session. Then
-- where the body begins ("data": or "sealed":), the beginning of the value as far as it was read, and the session's
-- root and last write ('' for none). It compares at fixed places because every pattern costs as much as a command.
-- `key`: another session than KEYS[1].
local function stored(key)
  key = key or KEYS[1]
  local head = redis.call('GETRANGE', key, '0', '191')
  if head == '' then return false end
  local version, at, user, root, write = nil, 29, nil, '', ''
  if string.byte(head, 28) == 44 and string.sub(head, 1, 11) == '{"version":' then
    version = tonumber(string.sub(head, 12, 27))
  else
    -- Not padded with spaces: an older release wrote it.
    version, at = string.match(head, '^{"version":(%d+) *,()')
    version = tonumber(version or 0)
  end
  if not version or not (version > 0 and version < 1e15) then return 0 end
  if string.sub(head, at, at + 7) == '"line":"' then
    root, write, at = string.sub(head, at + 8, at + 15), string.sub(head, at + 16, at + 23), at + 26
  end
  if string.sub(head, at, at + 6) == '"base":' then at = at + 24 end
  if string.sub(head, at, at + 7) == '"user":"' then
    local stop = string.find(head, '"', at + 8, true)
    if not stop then
      -- A stored name may have any length, and must still be found.
      head = redis.call('GET', key)
      stop = string.find(head, '"', at + 8, true)
      if not stop then return 0 end
    end
    user, at = string.sub(head, at + 8, stop - 1), stop + 2
  end
  if string.sub(head, at, at + 6) ~= '"data":' and string.sub(head, at, at + 8) ~= '"sealed":' then return 0 end
  return version, user, at, head, root, write
end

local function corrupt()
  return redis.error_reply('CORRUPT the value has no version')
end

-- A destroyed session leaves its last version and the time behind, so that no copy of it comes back. Returns both, as
-- seen by the process `me`: the time is when any other process last destroyed it, 0 for never. If `me` is nil, every
-- process counts as another. Then the id that the session has now, if it was renamed: no session may have the old one.
-- `key`: another tombstone than KEYS[2].
local function tombstone(me, key)
  local stone = redis.call('GET', key or KEYS[2])
  if not stone then return 0, 0 end
  -- The last fields say who destroyed it, when another process last did, and the new id; older releases wrote none.
  local version, at, by, others, heir = string.match(stone, '^(%d+) (%d+) ?(%x*) ?(%d*) ?>?(%S*)')
  if me and by == me then at = others end
  return tonumber(version or '') or 0, tonumber(at or '') or 0, heir and heir ~= '' and heir or nil
end

local function renamed()
  return redis.error_reply('RENAMED the session has another id now')
end

-- Returns without writing, so a value sent ahead is no longer needed.
local function reject(answer)
  if KEYS[3] then redis.call('UNLINK', KEYS[3]) end
  return answer
end

