--[[
Gives up a task, if this member has it. The last token is kept.
KEYS[1] is the base of all keys.
ARGV: task, member.
Returns nothing.
]]
local place = key('office', ARGV[1])
if redis.call('HGET', place, 'member') == ARGV[2] then redis.call('HSET', place, 'until', '0', 'member', '') end
