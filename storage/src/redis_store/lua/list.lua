-- list: KEYS[1] is the user's index; ARGV prefix, limit. Answers the ids of live sessions, most recently written first,
-- each with the time of its last write; entries without a session are dropped.
local found, at, limit = {}, 0, tonumber(ARGV[2])
while #found < limit do
  local page = redis.call('ZREVRANGE', KEYS[1], at, at + 99, 'WITHSCORES')
  if #page == 0 then break end
  for entry = 1, #page, 2 do
    local id = page[entry]
    if redis.call('EXISTS', ARGV[1] .. id) == 0 then
      redis.call('ZREM', KEYS[1], id)
    else
      at = at + 1
      if #found < limit then found[#found + 1] = {id, page[entry + 1]} end
    end
  end
end
return found
