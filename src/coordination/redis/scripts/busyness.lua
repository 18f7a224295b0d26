--[[
Tells how busy a holder is, over all nodes.
KEYS[1] is the base of all keys.
ARGV: holder.
Returns {slots in use, length of the line, limit, how long the first in line has waited in milliseconds}.
]]
local holder = ARGV[1]
local first = redis.call('ZRANGE', key('line', holder), 0, 0, 'WITHSCORES')
local waited = first[2] and now_ms() - math.floor(tonumber(first[2]) / TICKETS_PER_MS) or 0
return {
  redis.call('ZCARD', key('held', holder)),
  redis.call('ZCARD', key('line', holder)),
  limit_of(holder),
  math.max(0, waited),
}
