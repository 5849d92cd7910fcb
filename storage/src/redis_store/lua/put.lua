-- put: ARGV ttl, user, value (only its beginning if it was sent ahead), whether to keep the index ('1'). Returns
-- {version, root}.
local version, user, _, _, root = stored()
local destroyed, heir = 0, nil
if not version then destroyed, _, heir = tombstone() end
if heir then return answer(reject(renamed())) end
local next = (version or destroyed) + 1
local written, line = write(next, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6], user, root)
return answer(line and {written, line} or written)
