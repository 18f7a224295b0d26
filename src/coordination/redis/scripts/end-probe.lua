--[[
Gives back the right to probe an account, if this member has it.
KEYS[1] is the base of all keys.
ARGV: member, account.
Returns nothing.
]]
local place = key('probe', ARGV[2])
if redis.call('GET', place) == ARGV[1] then redis.call('DEL', place) end
