-- write (for the scripts that do): writes a session whole, with the lifetime ARGV[3], which is also `ttl`. `user` is '' for
-- nobody, `value` the value, the place of its version blank. A large value does not pass through here: it was sent ahead to a
-- key of its own, and takes the session's place; `value` is then how it begins. `keep`: '1' where the index's life is to be
-- seen to. `root`: that of the session which is overwritten; without one the value brings its own. Answers version and root.
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
    -- The version is filled in where it stands: joining two texts here costs more than another command, as Lua reads all of
    -- what comes out (Redis's luaS_newlstr hashes every byte).
    redis.call('SET', KEYS[1], value, 'PX', ARGV[3])
    redis.call('SETRANGE', KEYS[1], '11', text)
  end
  if previous_user and previous_user ~= user then unindex(previous_user) end
  if user ~= '' then index(user, ttl, keep == '1' and 0 or nil) end
  return version, root
end

