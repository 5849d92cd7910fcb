-- append: ARGV ttl, item, mark of the item ('' for none), what opens the list, what follows it, id of the write.
-- Returns the version, or 0 if there is no session. Only the item crosses the network. If the value has spaces left at
-- its end, the item overwrites them, so the rest of the value is neither read nor moved. An item that is already there
-- changes nothing.
local version, user, _, _, root = stored()
if not version then return answer(0) end
local ttl, item, mark, opener, tail = tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6], ARGV[7] .. '}'
local length = redis.call('STRLEN', KEYS[1])

-- The list is at the end and mostly short: look there first.
local part, list
local look = 4096
repeat
  part = redis.call('GETRANGE', KEYS[1], math.max(length - look, 0), -1)
  local _
  _, list = string.find(part, opener, 1, true)
  look = look * 8
until list or #part == length
local stop = used(part)
if version == 0 or not list or string.sub(part, stop - #tail + 1, stop) ~= tail then return corrupt() end
if mark ~= '' and string.find(part, mark, list + 1, true) then return answer(unchanged(version, user, ttl)) end

local comma = ','
if list + #tail == stop then comma = '' end
put_in(length - #part + stop - #tail, comma .. item .. tail, length)
return answer(appended(version, user, ttl, root, ARGV[8]))
