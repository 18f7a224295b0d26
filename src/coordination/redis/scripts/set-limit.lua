--[[
Changes a holder's limit and lets through those who may enter now.
KEYS[1] is the base of all keys.
ARGV: holder, limit.
Returns nothing.
]]
set_limit(ARGV[1], tonumber(ARGV[2]))
grant_next(ARGV[1], now_ms())
