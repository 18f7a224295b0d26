--[[
Makes a member the one that looks after the others, or keeps it so; a leader that is silent for long is followed by the
next. The leader buries the dead and tells all members how the accounts are used and how many nodes there are.
KEYS[1] is the base of all keys.
ARGV: member, how many leases to give back at most, how many accounts to tell of at most.
Returns {1 when it leads, how many leases were given back}.
]]
local now = now_ms()
local leader = redis.call('GET', key('leader'))
if leader and leader ~= ARGV[1] then return { 0, 0 } end
redis.call('SET', key('leader'), ARGV[1], 'PX', LEADER_MS)
local nodes, members = count_nodes(now)
-- Before all have had the time to say that they live, nobody is taken for dead.
local buried = nodes > 0 and bury_dead(now, tonumber(ARGV[2]), nil) or 0
local minute = math.floor(now / 60000)
local figures = {}
local accounts = redis.call('ZREVRANGE', key('used'), 0, tonumber(ARGV[3]) - 1, 'WITHSCORES')
for index = 1, #accounts, 2 do
  local account = accounts[index]
  local held = redis.call('ZCARD', key('held', 'a' .. account))
  local waiting = redis.call('ZCARD', key('line', 'a' .. account))
  local requests = redis.call('GET', key('minute', account .. ':' .. minute)) or '0'
  figures[#figures + 1] = account .. ',' .. held .. ',' .. waiting .. ',' .. accounts[index + 1] .. ',' .. requests
end
redis.call('ZREMRANGEBYSCORE', key('used'), '-inf', now - USED_KEPT_MS)
local text = FIGURES .. nodes .. ',' .. members .. ' ' .. table.concat(figures, ' ')
redis.call('PUBLISH', BASE .. CHANNEL.all, text)
return { 1, buried }
