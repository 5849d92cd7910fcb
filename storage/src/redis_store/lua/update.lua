-- update: ARGV ttl, user, value (only its beginning if it was sent ahead), whether to keep the index ('1'), expected
-- version. Returns {version, root}, 0 if there is no session, or minus the current version if it is not the expected
-- one.
local version, user, _, _, root = stored()
if not version then return answer(reject(0)) end
if version == 0 then return answer(reject(corrupt())) end
if version ~= tonumber(ARGV[7]) then return answer(reject(-version)) end
local written, line = write(version + 1, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6], user, root)
return answer(line and {written, line} or written)
