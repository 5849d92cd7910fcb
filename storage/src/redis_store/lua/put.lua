-- put: ARGV ttl, user, data ('' where it was sent ahead). Answers the version.
local version, user = stored()
return answer(write((version or tombstone()) + 1, ARGV[4], ARGV[5], tonumber(ARGV[3]), user))
