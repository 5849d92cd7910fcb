-- ended (for the scripts that write back): compares a tombstone with what a fallback has.

-- Now, in microseconds.
local function micros()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

-- Whether a session with this tombstone has ended since the caller read it (`base`, `heard`) and since it wrote it
-- whole (`made`); see write_back. A server that lost its last writes may give its tombstones lower versions than the
-- base: then the time decides. A tombstone's time is cut to the millisecond: one of the same millisecond as the whole
-- write may be the later of the two, and ends the session.
local function ended(stone, time, base, heard, made)
  local since = stone > base or (stone > 0 and heard >= 0 and time > 0 and time * 1000 > heard)
  return since and (made < 0 or (time > 0 and time * 1000 + 999 >= made))
end

