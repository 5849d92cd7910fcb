-- far_owned: KEYS[1] a session; ARGV user. Answers 1 where it lives and is the user's. A value that is no session is the
-- user's to destroy.
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then return redis.call('EXISTS', KEYS[1]) end
local version, user = stored()
if not version then return 0 end
if version == 0 or user == ARGV[1] then return 1 end
return 0
