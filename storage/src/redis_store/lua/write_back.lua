-- write_back: ARGV ttl, user, value (only its beginning if it was sent ahead), whether to keep the index ('1'), base's
-- version, version, `made`, the caller's process, base's write, `heard`. Writes a session that lived in a fallback if
-- Redis's copy is still the base (version 0: there was none). `made`: the earliest time at which the fallback can have
-- written it whole last (create or put), -1 if it only changed it; `heard`: the latest at which the base was read, -1
-- without a base. Both in microseconds of this server's clock, which the caller does not know at first: then 0, and
-- every tombstone counts as later. The process is '' unless one of its own destroys may have taken effect without a
-- reply: then its own tombstone does not count. Returns {1, version, root} if written; {2, tombstone, time, now} if
-- another process has destroyed it since; {3, version, value, which} if Redis's copy is not the base; {4, tombstone, new
-- id} if it was renamed since. The tombstone's time in milliseconds and now in microseconds are there where a later
-- `made` or `heard` might change the answer.
--
-- A session that was renamed in the fallback has the ids under which Redis may have it as well: KEYS[4] and KEYS[5] the
-- first of these and its tombstone, and so on; ARGV[13] the caller's process, then these ids. `which` counts them, also at
-- the end of {2, ...} if it was destroyed under one of them; 0: the value is under the new id. The session leaves them in
-- the same step.
local version, user, _, _, _, last = stored()
local me = ARGV[10] ~= '' and ARGV[10] or nil
local destroyed, at, heir = tombstone(me)
local base, made, heard = tonumber(ARGV[7]), tonumber(ARGV[9]), tonumber(ARGV[12])
if heir then return answer(reject({4, destroyed, heir})) end

if ended(destroyed, at, base, heard, made) then return answer(reject({2, destroyed, at, micros()})) end
local place, which = KEYS[1], 0
for key = 4, #KEYS, 2 do
  -- The caller's own tombstone is that of a rename without a reply, and one with this id that of the rename itself.
  local stone, time, next_id = tombstone(ARGV[13], KEYS[key + 1])
  if next_id ~= ARGV[2] and time > 0 and ended(stone, time, base, heard, made) then
    return answer(reject(next_id and {4, stone, next_id, time, micros()} or {2, stone, time, micros(), key / 2 - 1}))
  end
  destroyed = math.max(destroyed, stone)
  if not version then
    version, user, _, _, _, last = stored(KEYS[key])
    if version then place, which = KEYS[key], key / 2 - 1 end
  end
end
if version and (version ~= base or last ~= ARGV[11]) then
  return answer(reject({3, version, redis.call('GET', place), which}))
end
local next = math.max(tonumber(ARGV[8]), (version or 0) + 1, destroyed + 1)
-- The caller chooses the root: it knows whether this is the session that Redis has.
local previous = which == 0 and user or nil
local written, line = write(next, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6], previous)
if not line then return written end
for key = 4, #KEYS, 2 do
  local _, others = tombstone(ARGV[13], KEYS[key + 1])
  local _, listed = stored(KEYS[key])
  bury(KEYS[key], KEYS[key + 1], next, tonumber(ARGV[3]), ARGV[13], others, ARGV[2])
  if listed then unindex(listed, ARGV[12 + key / 2]) end
end
return answer({1, written, line})
