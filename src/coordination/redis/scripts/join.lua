--[[
Makes Redis know of a member exactly what the member knows of itself: what it holds counts, beyond the limit if need
be, and what it does not know of is given back.
KEYS[1] is the base of all keys.
ARGV: member, 1 when it was known before, how many leases it holds, those with their holders, leases that it has asked
for and not heard of.
Returns how many leases were put right.
]]
local member, held = ARGV[1], tonumber(ARGV[3])
local now = now_ms()
if ARGV[2] == '1' and not is_known(member) then redis.call('PUBLISH', BASE .. CHANNEL.all, FLUSHED) end
redis.call('ZADD', key('members'), now, member)
local kept = {}
local mended = 0
for index = 4, 3 + 2 * held, 2 do
  local lease, holder = ARGV[index], ARGV[index + 1]
  kept[lease] = true
  if not redis.call('ZSCORE', key('held', holder), lease) then
    redis.call('ZREM', key('line', holder), lease)
    hold(lease, holder, now)
    mended = mended + 1
  end
end
for index = 4 + 2 * held, #ARGV do kept[ARGV[index]] = true end
local known = redis.call('HGETALL', key('leases', member))
for index = 1, #known, 2 do
  if not kept[known[index]] then
    take_back(known[index], known[index + 1], now)
    mended = mended + 1
  end
end
return mended
