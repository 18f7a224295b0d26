--[[
Gives a task that only one may do to a member, or leaves it to the one that has it. Each new holder gets a token above
all before it, by which those it writes to can tell it from one that was thought dead.
KEYS[1] is the base of all keys.
ARGV: task, member, for how many milliseconds.
Returns the token, or '' when another member has the task.
]]
local place = key('office', ARGV[1])
local holder = redis.call('HGET', place, 'member')
local token = redis.call('HGET', place, 'token') or '0'
if holder and holder ~= ARGV[2] and tonumber(redis.call('HGET', place, 'until')) > now_ms() then return '' end
if holder ~= ARGV[2] then
  -- Above the time, so that it stays above what was given before Redis lost its memory.
  token = exact(math.max(tonumber(token) + 1, now_ms() * TICKETS_PER_MS))
end
redis.call('HSET', place, 'member', ARGV[2], 'token', token, 'until', exact(now_ms() + tonumber(ARGV[3])))
return token
