-- index_far: in a cluster a user's index lies in another slot than the session. What has to be done there is said with the
-- answer, {answer, user to enter, user to keep, user to leave}, and done by a second call.
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

