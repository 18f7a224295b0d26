--[[
Gives back leases of one member, those that wait included.
KEYS[1] is the base of all keys.
ARGV: member, leases.
Returns how many of them it had.
]]
local now = now_ms()
local count = 0
for index = 2, #ARGV do
  local holder = redis.call('HGET', key('leases', ARGV[1]), ARGV[index])
  if holder then
    take_back(ARGV[index], holder, now)
    count = count + 1
  end
end
return count
