--[[
Makes Redis know of a member exactly what the member knows of itself: what it holds counts, beyond the limit if need
be, and what it does not know of is given back.
KEYS[1] is the base of all keys.
ARGV: member, 1 when it was known before, for how many milliseconds it has granted without asking or -1, how many members
it knew of, the number of its next lease, how many leases it holds, those with their holders, leases that it has asked
for and not heard of.
Returns how many leases were put right.
]]
local member, known_before, away_ms = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3])
local held = tonumber(ARGV[6])
local now = now_ms()
local is_new = not is_known(member)
redis.call('ZADD', key('members'), now, member)
redis.call('HSET', key('floors'), member, ARGV[5])
local since = tonumber(redis.call('HGET', key('settling'), 'since') or '-1')
-- Those that were away since before this began are part of it.
if away_ms >= 0 and now - away_ms > since or known_before and is_new and since < 0 then
  local others = known_before and is_new and tonumber(ARGV[4]) or 0
  unsettle(now, math.max(redis.call('ZCARD', key('members')), others))
elseif is_new and not known_before then
  expect_members(1)
end
local kept = {}
local mended = 0
for index = 7, 6 + 2 * held, 2 do
  local lease, holder = ARGV[index], ARGV[index + 1]
  kept[lease] = true
  if not redis.call('ZSCORE', key('held', holder), lease) then
    redis.call('ZREM', key('line', holder), lease)
    hold(lease, holder, now)
    mended = mended + 1
  end
end
for index = 7 + 2 * held, #ARGV do kept[ARGV[index]] = true end
local known = redis.call('HGETALL', key('leases', member))
for index = 1, #known, 2 do
  if not kept[known[index]] then
    take_back(known[index], known[index + 1], now)
    mended = mended + 1
  end
end
return mended
