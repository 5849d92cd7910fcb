-- The version as it stands in a value that is written whole; `body` is, or begins as, what follows the head.
local function versions(version, body)
  if string.byte(body, 2) ~= 115 then return string.format('%-16d', version) end
  return string.format('%-16d,"base":%-16d', version, version)
end

-- write (for the scripts that do): writes a session whole, with the lifetime ARGV[3], which is also `ttl`. `user` is '' for
-- nobody, `body` what follows the head. A large value does not pass through here: it was sent ahead to a key of its own, and
-- takes the session's place; `body` is then its first word. `keep`: '1' where the index's life is to be seen to.
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
  if previous_user and previous_user ~= user then unindex(previous_user) end
  if user ~= '' then index(user, ttl, keep == '1' and 0 or nil) end
  return version
end

