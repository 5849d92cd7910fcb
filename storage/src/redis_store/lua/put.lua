-- put: ARGV ttl, user, value (how it begins where it was sent ahead), whether to keep the index ('1'). Answers the version.
local version, user = stored()
return answer(write((version or tombstone()) + 1, ARGV[4], ARGV[5], tonumber(ARGV[3]), ARGV[6], user))
