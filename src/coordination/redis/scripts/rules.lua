--[[
What all scripts have in common; it stands before each of them.
KEYS[1] is the base of all keys.
Returns nothing by itself.
]]
local BASE = KEYS[1]

local function key(name, owner)
  return BASE .. KEY[name] .. (owner or '')
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function is_known(member)
  return redis.call('ZSCORE', key('members'), member) ~= false
end

local function is_alive(member, now)
  local heard = redis.call('ZSCORE', key('members'), member)
  return heard ~= false and tonumber(heard) > now - DEAD_MS
end

-- A lease is named after its member: member/number.
local function member_of(lease)
  return string.match(lease, '^(.+)/[^/]+$')
end

local function set_limit(holder, limit)
  redis.call('HSET', key('terms', holder), 'limit', limit)
  redis.call('PEXPIRE', key('terms', holder), TERMS_MS)
end

local function limit_of(holder)
  return tonumber(redis.call('HGET', key('terms', holder), 'limit') or '0')
end

local function hold(lease, holder, now)
  redis.call('ZADD', key('held', holder), now, lease)
  redis.call('HSET', key('leases', member_of(lease)), lease, holder)
end

-- Puts a lease at the end of a line. Its ticket tells the time as well, and is above all before it.
local function join_line(lease, holder, now)
  local last = tonumber(redis.call('HGET', key('terms', holder), 'ticket') or '0')
  local ticket = string.format('%.0f', math.max(last + 1, now * TICKETS_PER_MS))
  redis.call('HSET', key('terms', holder), 'ticket', ticket)
  redis.call('ZADD', key('line', holder), ticket, lease)
  redis.call('HSET', key('leases', member_of(lease)), lease, holder)
end

-- Gives slots to those who have waited longest, while there are any. Those whose member has died are passed over.
local function grant_next(holder, now)
  local line = key('line', holder)
  if redis.call('EXISTS', line) == 0 then return end
  local limit = limit_of(holder)
  local held = redis.call('ZCARD', key('held', holder))
  while limit == 0 or held < limit do
    local lease = redis.call('ZPOPMIN', line)[1]
    if not lease then return end
    local member = member_of(lease)
    if is_alive(member, now) then
      hold(lease, holder, now)
      held = held + 1
      redis.call('PUBLISH', BASE .. CHANNEL.wake .. member, lease)
    else
      redis.call('HDEL', key('leases', member), lease)
    end
  end
end

-- Takes a lease back, whether it has a slot or waits for one.
local function take_back(lease, holder, now)
  redis.call('HDEL', key('leases', member_of(lease)), lease)
  redis.call('ZREM', key('line', holder), lease)
  if redis.call('ZREM', key('held', holder), lease) == 1 then grant_next(holder, now) end
end

-- Whether a slot is free and nobody waits for it.
local function has_room(holder, limit)
  if redis.call('EXISTS', key('line', holder)) == 1 then return false end
  return limit == 0 or redis.call('ZCARD', key('held', holder)) < limit
end

-- How many nodes live. A member is named after its node: node.thread.life.
local function count_nodes(now)
  local seen = {}
  local count = 0
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key('members'), '(' .. (now - DEAD_MS), '+inf')) do
    local node = string.match(member, '^[^.]+')
    if not seen[node] then
      seen[node] = true
      count = count + 1
    end
  end
  return count
end

-- Gives back leases of dead members, or of the one that is named, and says how many.
local function bury_dead(now, most, named)
  local left = most
  local dead = named and { named }
    or redis.call('ZRANGEBYSCORE', key('members'), '-inf', now - DEAD_MS, 'LIMIT', 0, 16)
  for _, member in ipairs(dead) do
    redis.call('ZADD', key('members'), 'XX', 0, member)
    local leases = redis.call('HGETALL', key('leases', member))
    for index = 1, #leases, 2 do
      if left == 0 then return most end
      take_back(leases[index], leases[index + 1], now)
      left = left - 1
    end
    redis.call('ZREM', key('members'), member)
  end
  return most - left
end
