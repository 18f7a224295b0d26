--[[
Tells which account a conversation is bound to.
KEYS[1] is the base of all keys.
ARGV: conversation.
Returns the account, or ''.
]]
return redis.call('GET', key('bound', ARGV[1])) or ''
