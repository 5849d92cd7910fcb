-- far_owned: KEYS[1] a session; ARGV user. Returns 1 if it is alive and belongs to the user. A value that is not a
-- session counts as the user's, so that the user can destroy it.
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then return redis.call('EXISTS', KEYS[1]) end
local version, user = stored()
if not version then return 0 end
if version == 0 or user == ARGV[1] then return 1 end
return 0
