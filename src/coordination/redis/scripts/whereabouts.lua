--[[
Tells where leases of one member stand, for those that may have missed their call, and serves the lines they wait in.
KEYS[1] is the base of all keys.
ARGV: member, leases.
Returns for each lease 'held', 'waiting' or 'lost'.
]]
local states = {}
local now = now_ms()
for index = 2, #ARGV do
  local lease = ARGV[index]
  local holder = redis.call('HGET', key('leases', ARGV[1]), lease)
  if holder then grant_next(holder, now) end
  if not holder then
    states[#states + 1] = 'lost'
  elseif redis.call('ZSCORE', key('held', holder), lease) then
    states[#states + 1] = 'held'
  else
    states[#states + 1] = 'waiting'
  end
end
return states
