--[[
Makes Redis know of a thread's money exactly what the thread knows: all that it answers for, and its holds, which count
even beyond what there is.
KEYS[1] is the base of all keys.
ARGV: how many answered for these costs before, their names (the first is who answers now), how many costs there are,
those with their purses before them, then of each hold its lease, purse, amount, and how many milliseconds it lasts.
Returns nothing.
]]
local owners, now = tonumber(ARGV[1]), now_ms()
local owner = ARGV[2]
local at = 2 + owners
local costs = tonumber(ARGV[at])
local shares = {}
for index = at + 1, at + 2 * costs, 2 do
  shares[ARGV[index]] = (shares[ARGV[index]] or 0) + tonumber(ARGV[index + 1])
end
for index = 2, 1 + owners do
  for _, purse in ipairs(redis.call('SMEMBERS', key('answers', ARGV[index]))) do
    if ARGV[index] ~= owner or not shares[purse] then set_share(ARGV[index], purse, 0) end
  end
end
for purse, nanos in pairs(shares) do set_share(owner, purse, nanos) end
for index = at + 1 + 2 * costs, #ARGV, 4 do
  local lease, purse = ARGV[index], ARGV[index + 1]
  put_hold(lease, purse, tonumber(ARGV[index + 2]), now + tonumber(ARGV[index + 3]))
end
