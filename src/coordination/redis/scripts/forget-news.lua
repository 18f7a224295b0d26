--[[
Forgets pieces of news that are over.
KEYS[1] is the base of all keys.
ARGV: their names.
Returns nothing.
]]
redis.call('HDEL', key('news'), unpack(ARGV))
