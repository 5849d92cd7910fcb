-- bury: ends the session `key`, whatever its value, and leaves `gone` as its tombstone: its version, when and by which
-- process it was ended, when another last ended it, and the id that the session has now, if it was renamed. The
-- tombstone lives as long as the session could have lived, and at least an hour.
local function bury(key, gone, version, life, me, others, heir)
  life = math.max(redis.call('PTTL', key), life, HOUR)
  redis.call('DEL', key)
  local stone = string.format('%d %d %s %d', version, millis(), me, others)
  if heir then stone = stone .. ' >' .. heir end
  redis.call('SET', gone, stone, 'PX', string.format('%d', life))
end

