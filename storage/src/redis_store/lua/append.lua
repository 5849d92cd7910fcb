-- append: ARGV ttl, item, mark of the item ('' for none), what opens the list, what follows it. Answers the version, 0
-- where there is no session. The item alone crosses the network; an item that is there already changes nothing.
local value = redis.call('GET', KEYS[1])
if not value then return 0 end
local ttl, item, mark, opener = tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local tail = ARGV[7] .. '}'
local _, head_end, version, user = string.find(value, '^{"version":(%d+),"user":"([^"]*)","data":')
if not version then _, head_end, version = string.find(value, '^{"version":(%d+),"data":') end
if not version or string.sub(value, -#tail) ~= tail then return corrupt() end
-- The list is at the end and mostly short: look there first.
local list
_, list = string.find(value, opener, math.max(head_end, #value - 4096), true)
if not list then _, list = string.find(value, opener, head_end, true) end
if not list then return corrupt() end
if mark ~= '' and string.find(value, mark, list + 1, true) then
  redis.call('PEXPIRE', KEYS[1], ttl)
  if user then keep_index(index_key(user), ttl) end
  return tonumber(version)
end
local comma = ','
if list + #tail == #value then comma = '' end
local data = string.sub(value, head_end + 1, -#tail - 1) .. comma .. item .. ARGV[7]
return write(tonumber(version) + 1, user or '', data, ttl)
