--[[
Says something to all members.
KEYS[1] is the base of all keys.
ARGV: what is said.
Returns nothing.
]]
redis.call('PUBLISH', BASE .. CHANNEL.all, ARGV[1])
