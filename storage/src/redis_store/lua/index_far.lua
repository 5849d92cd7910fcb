-- index_far: in a cluster a user's index is in another slot than the session. The script returns what to do there,
-- {answer, user to enter, user to keep, user to leave, the session that leaves}, and a second call does it.
local enter, keep, leave, left = '', '', '', ''

local function keep_index(user)
  keep = user
end

local function index(user)
  enter = user
end

local function unindex(user, id)
  leave, left = user, id or ARGV[2]
end

local function answer(what)
  if type(what) == 'table' and what.err then return what end
  return {what, enter, keep, leave, left}
end

