-- write (for the scripts that write a whole session): the lifetime is ARGV[3], also passed as `ttl`. `user` is '' for
-- nobody; `value` leaves the version blank. A large value does not pass through here: it was sent ahead to a key of its
-- own, which takes the session's place, and `value` is only its beginning. `keep`: '1' to extend the index's life.
-- `root`: the root of the overwritten session; without one the value brings its own. Returns version and root.
local function write(version, user, value, ttl, keep, previous_user, root)
  local text = string.format('%d', version)
  local own = string.sub(value, 37, 44)
  if not root or root == '' then root = own end
  if string.byte(value, 56) == 98 then
    -- The 56th byte tells `base` from `user` and `data`.
    text = string.format('%-16d,"line":"%s%s","base":%d', version, root, string.sub(value, 45, 52), version)
  elseif root ~= own then
    text = string.format('%-16d,"line":"%s', version, root)
  end
  if KEYS[3] then
    if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('STAGING the value sent ahead is gone') end
    redis.call('SETRANGE', KEYS[3], '11', text)
    redis.call('RENAME', KEYS[3], KEYS[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  else
    -- The version is filled in afterwards: joining two texts here costs more than another command, because Lua hashes
    -- every byte of the result (luaS_newlstr in Redis).
    redis.call('SET', KEYS[1], value, 'PX', ARGV[3])
    redis.call('SETRANGE', KEYS[1], '11', text)
  end
  if previous_user and previous_user ~= user then unindex(previous_user) end
  if user ~= '' then index(user, ttl, keep == '1' and 0 or nil) end
  return version, root
end

