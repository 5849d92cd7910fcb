-- write (for the scripts that do): writes a session whole, with its lifetime. `user` is '' for nobody. A large value does not pass through here: it was
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
  if previous_user and previous_user ~= user then unindex(previous_user) end
  if user ~= '' then index(user, ttl) end
  return version
end

