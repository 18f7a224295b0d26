--[[
Gives back what dead members held and waited for: those that have not been heard of for too long, and the one that is
named.
KEYS[1] is the base of all keys.
ARGV: member or '', how many leases to give back at most.
Returns how many leases were given back.
]]
local now = now_ms()
local left = tonumber(ARGV[2])
local dead = redis.call('ZRANGEBYSCORE', key('members'), '-inf', now - DEAD_MS, 'LIMIT', 0, 16)
if ARGV[1] ~= '' then dead[#dead + 1] = ARGV[1] end
for _, member in ipairs(dead) do
  redis.call('ZADD', key('members'), 'XX', 0, member)
  local leases = redis.call('HGETALL', key('leases', member))
  for index = 1, #leases, 2 do
    if left == 0 then return tonumber(ARGV[2]) end
    take_back(leases[index], leases[index + 1], now)
    left = left - 1
  end
  redis.call('ZREM', key('members'), member)
end
return tonumber(ARGV[2]) - left
