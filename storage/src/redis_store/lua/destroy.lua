-- destroy: ARGV version (0, or the fallback's version, which forces a tombstone whatever Redis has), the caller's
-- process, the id that the session got in the fallback ('' for none). Works on any value. Returns {the tombstone's version, the destroyed session's root, the id that the session
-- has now}, the last '' unless it was renamed; the version alone if there is neither root nor new id; 0 if there was no
-- session.
local counted, me = tonumber(ARGV[3]), ARGV[4]
if redis.call('EXISTS', KEYS[1]) == 0 and counted == 0 then return answer(0) end
local version, user, _, root = 0, nil, nil, nil
if redis.call('TYPE', KEYS[1]).ok == 'string' then version, user, _, _, root = stored() end
local before, others, heir = tombstone(me)
-- If another process has renamed it before, that stands.
if ARGV[5] ~= '' and not heir then heir = ARGV[5] end
local stone = math.max(counted, (version or 0) + 1, before)
bury(KEYS[1], KEYS[2], stone, 0, me, others, heir)
if user then unindex(user) end
if heir then return answer({stone, root or '', heir}) end
return answer(root and root ~= '' and {stone, root, ''} or stone)
