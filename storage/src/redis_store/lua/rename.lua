-- rename: KEYS[1] the session under its new id, KEYS[2] that id's tombstone, KEYS[3] the value sent ahead, KEYS[4] the
-- session under its old id, KEYS[5] that id's tombstone. ARGV prefix, new id, ttl, user, beginning of the value, whether
-- to keep the index ('1'), expected version, expected write, the caller's process, old id. The value was made from the
-- state with that version and write, so the session moves only if it is still in that state. Returns {version, root}, 0 if there
-- is no session, or minus the current version if it is in another state.
local version, user, _, _, root, last = stored(KEYS[4])
if not version then return answer(reject(0)) end
if version == 0 then return answer(reject(corrupt())) end
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then
  return answer(reject(redis.error_reply('TAKEN the new id has or lately had a session')))
end
if version ~= tonumber(ARGV[7]) or last ~= ARGV[8] then return answer(reject(-version)) end
local written, line = write(version + 1, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6], nil, root)
if not line then return answer(written) end
local _, others = tombstone(ARGV[9], KEYS[5])
bury(KEYS[4], KEYS[5], written, tonumber(ARGV[3]), ARGV[9], others, ARGV[2])
if user then unindex(user, ARGV[10]) end
return answer({written, line})
