-- append_sealed: ARGV ttl, segment, mark of the item ('' for none), ids of the keys that the appender knows, id of the
-- write. Returns the version, or 0 if there is no session. The script cannot read sealed data: it adds the segment
-- after the others, unless one of them has the mark. It refuses a session whose base is sealed with a key that the
-- appender does not know, so that nobody gets an append acknowledged that they could not read back.
local version, user, at, head, root = stored()
if not version then return answer(0) end
local ttl, segment, mark, known = tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
if version == 0 then return redis.error_reply('MALFORMED the value is not a session') end
if not (string.sub(head, at, at + 9) == '"sealed":B') then
  if string.sub(head, at, at + 6) == '"data":' then return redis.error_reply('UNSEALED the value is not encrypted') end
  return redis.error_reply('MALFORMED the value is not a session')
end
-- B, the key's id (8 bytes), the length of the sealed part (4 bytes), the sealed part, and a dot.
local key, size = string.sub(head, at + 10, at + 17), string.sub(head, at + 18, at + 21)
if #size < 4 then return redis.error_reply('MALFORMED the value is too short') end
local length, last = redis.call('STRLEN', KEYS[1]), at + 22 + struct.unpack('>I4', size)
if last > length then return redis.error_reply('MALFORMED the value is too short') end
if not string.find(known, key, 1, true) then
  local id = string.gsub(key, '.', function(c) return string.format('%02x', string.byte(c)) end)
  return redis.error_reply('UNKNOWNKEY ' .. id)
end
-- Starts at the dot after the base.
local part = redis.call('GETRANGE', KEYS[1], last - 1, -1)
local stop = used(part)
if string.byte(part, 1) ~= 46 or string.byte(part, stop) ~= 46 then
  return redis.error_reply('MALFORMED the value is cut short')
end
if mark ~= '' and string.find(part, mark, 2, true) then return answer(unchanged(version, user, ttl)) end
put_in(last - 1 + stop, segment, length)
return answer(appended(version, user, ttl, root, ARGV[7]))
