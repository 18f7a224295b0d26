--[[
Drops a binding if it is still to this account.
KEYS[1] is the base of all keys.
ARGV: conversation, account.
Returns nothing.
]]
local place = key('bound', ARGV[1])
if redis.call('GET', place) == ARGV[2] then redis.call('DEL', place) end
