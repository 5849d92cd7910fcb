-- list: KEYS[1] is the user's index; ARGV prefix, limit, user, most. Returns 1 and the ids of the user's live sessions,
-- most recently written first, each with the time of its last write. It drops entries without a session, and entries
-- whose id now belongs to another user: at most so many, because no other client is served meanwhile. Then it returns 0,
-- and the caller asks again from the start: the last answer alone shows one moment.
local found, at, limit, most = {}, 0, tonumber(ARGV[2]), tonumber(ARGV[4])

local function belongs(id)
  local key = ARGV[1] .. id
  if redis.call('EXISTS', key) == 0 then return false end
  local head = redis.pcall('GETRANGE', key, 0, 2047)
  -- A value that is not a session counts as the user's, so that the user can destroy it.
  if type(head) ~= 'string' or not string.find(head, '^{"version":%d+ *,') then return true end
  local at = string.match(head, '^{"version":%d+ *,()')
  at = string.match(head, '^"line":"%x+",()', at) or at
  -- Encrypted sessions have a base.
  at = string.match(head, '^"base":%d+ *,()', at) or at
  local user = string.match(head, '^"user":"([^"]*)"', at)
  -- The name may be longer than the part that was read.
  if not user and #ARGV[3] > 1024 then user = string.match(redis.call('GET', key), '^"user":"([^"]*)"', at) end
  return user == ARGV[3]
end

while #found < limit do
  local page = redis.call('ZREVRANGE', KEYS[1], at, at + 99, 'WITHSCORES')
  if #page == 0 then break end
  for entry = 1, #page, 2 do
    local id = page[entry]
    if not belongs(id) then
      if most == 0 then return {0, {}} end
      redis.call('ZREM', KEYS[1], id)
      most = most - 1
    else
      at = at + 1
      if #found < limit then found[#found + 1] = {id, page[entry + 1]} end
    end
  end
end
return {1, found}
