-- Appending to a value, into the spare spaces at its end.

-- Returns how much of `part`, the end of a value, is in use.
local function used(part)
  local stop, blank = #part, string.rep(' ', 64)
  while stop >= 64 and string.sub(part, stop - 63, stop) == blank do stop = stop - 64 end
  while string.byte(part, stop) == 32 do stop = stop - 1 end
  return stop
end

-- Writes `text` at offset `at` (from 0) of the session's value of `length` bytes; only spare spaces may follow there.
local function put_in(at, text, length)
  if at + #text <= length then
    redis.call('SETRANGE', KEYS[1], at, text)
  else
    -- Rewrite the value with new spare space: writing beyond its end would make Redis allocate as much memory again.
    local before = redis.call('GETRANGE', KEYS[1], 0, at - 1)
    local spare = math.max(32, math.min(1024, math.floor(length / 32)))
    redis.call('SET', KEYS[1], before .. text .. string.rep(' ', spare))
  end
end

-- The item is already there: extend the session's life and keep its version.
local function unchanged(version, user, ttl)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  if user then keep_index(user, ttl, HOUR / 2) end
  return version
end

-- The write `id` has added an item.
local function appended(version, user, ttl, root, id)
  local text = string.format('%d', version + 1)
  if root ~= '' then text = string.format('%-16d,"line":"%s%s', version + 1, root, id) end
  redis.call('SETRANGE', KEYS[1], '11', text)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  if user then index(user, ttl, HOUR / 2) end
  return version + 1
end

