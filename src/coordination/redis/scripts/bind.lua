--[[
Binds a conversation to an account, or binds it anew.
KEYS[1] is the base of all keys.
ARGV: conversation, account, for how many milliseconds.
Returns nothing.
]]
redis.call('SET', key('bound', ARGV[1]), ARGV[2], 'PX', ARGV[3])
