-- index_far: in a cluster a user's index is in another slot than the session. The script returns what to do there,
-- {answer, user to enter, user to keep, user to leave}, and a second call does it.
local enter, keep, leave = '', '', ''

local function keep_index(user)
  keep = user
end

local function index(user)
  enter = user
end

local function unindex(user)
  leave = user
end

local function answer(what)
  if type(what) == 'table' and what.err then return what end
  return {what, enter, keep, leave}
end

