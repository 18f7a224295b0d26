--[[
What all scripts have in common; it stands before each of them.
KEYS[1] is the base of all keys.
Returns nothing by itself.
]]
local BASE = KEYS[1]

local function key(name, owner)
  return BASE .. KEY[name] .. (owner or '')
end

-- Whole numbers, exact up to 2^53: moments, and money in nano-dollars.
local function exact(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Members give their leases and what they say ascending numbers, in base 36. What has a lower one than when the member
-- last said what it holds was sent over a connection that it has given up, and comes too late.
local function is_late(member, number)
  local floor = redis.call('HGET', key('floors'), member)
  return floor ~= false and tonumber(number, 36) < tonumber(floor)
end

-- Whether a member is known, and may ask for this lease.
local function is_known(member, lease)
  if redis.call('ZSCORE', key('members'), member) == false then return false end
  return lease == nil or not is_late(member, string.match(lease, '[^/]+$'))
end

-- Whether everybody that may live has said what it holds since that could last not be known. Those that say nothing
-- are not waited for any longer after a time.
local function is_settled(now)
  local settling = key('settling')
  local fields = redis.call('HMGET', settling, 'since', 'until', 'members')
  if not fields[1] then return true end
  local unheard = redis.call('ZCOUNT', key('members'), '-inf', '(' .. fields[1])
  local are_all = unheard == 0 and redis.call('ZCARD', key('members')) >= tonumber(fields[3])
  if not are_all and now < tonumber(fields[2]) then return false end
  redis.call('DEL', settling)
  redis.call('PUBLISH', BASE .. CHANNEL.all, SETTLED)
  return true
end

-- From now on it is not known what members hold, until so many of them have said so.
local function unsettle(now, members)
  redis.call('HSET', key('settling'), 'since', exact(now), 'until', exact(now + SETTLE_MS), 'members', members)
  redis.call('PUBLISH', BASE .. CHANNEL.all, CALL)
end

-- So many more members are to be heard of, if there are any to wait for.
local function expect_members(more)
  if redis.call('EXISTS', key('settling')) == 1 then redis.call('HINCRBY', key('settling'), 'members', more) end
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
  if string.sub(holder, 1, 1) == 'a' then redis.call('ZADD', key('used'), now, string.sub(holder, 2)) end
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

local drop_hold

-- Takes a lease back, whether it has a slot or waits for one, or is a hold on a purse.
local function take_back(lease, holder, now)
  if string.sub(holder, 1, #PURSE) == PURSE then
    drop_hold(lease, string.sub(holder, #PURSE + 1))
    return
  end
  redis.call('HDEL', key('leases', member_of(lease)), lease)
  redis.call('ZREM', key('line', holder), lease)
  if redis.call('ZREM', key('held', holder), lease) == 1 then grant_next(holder, now) end
end

-- Whether a slot is free and nobody waits for it.
local function has_room(holder, limit)
  if redis.call('EXISTS', key('line', holder)) == 1 then return false end
  return limit == 0 or redis.call('ZCARD', key('held', holder)) < limit
end

-- How many nodes live, and how many members; 0 while it is not known. A member is named after its node:
-- node.thread.life.
local function count_nodes(now)
  if not is_settled(now) then return 0, 0 end
  local seen = {}
  local count = 0
  local members = redis.call('ZRANGEBYSCORE', key('members'), '(' .. (now - DEAD_MS), '+inf')
  for _, member in ipairs(members) do
    local node = string.match(member, '^[^.]+')
    if not seen[node] then
      seen[node] = true
      count = count + 1
    end
  end
  return count, #members
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
    if redis.call('ZREM', key('members'), member) == 1 then expect_members(-1) end
    redis.call('HDEL', key('floors'), member)
  end
  return most - left
end

local function purse_number(purse, field)
  return tonumber(redis.call('HGET', key('purse', purse), field) or '0')
end

local function add_to_purse(purse, field, nanos)
  if nanos ~= 0 then redis.call('HINCRBY', key('purse', purse), field, exact(nanos)) end
end

-- Takes over the books if none newer are known. Of the same revision the later word counts.
local function show_books(purse, available, revision)
  if tonumber(revision) < purse_number(purse, 'revision') then return end
  redis.call('HSET', key('purse', purse), 'available', available, 'revision', revision)
end

local function free_nanos(purse)
  local fields = redis.call('HMGET', key('purse', purse), 'available', 'unbooked', 'held')
  return tonumber(fields[1] or '0') - tonumber(fields[2] or '0') - tonumber(fields[3] or '0')
end

-- A hold that is there already gets this amount.
local function put_hold(lease, purse, amount, ends)
  local before = tonumber(redis.call('HGET', key('holds', purse), lease) or '0')
  redis.call('HSET', key('holds', purse), lease, exact(amount))
  redis.call('ZADD', key('ends', purse), ends, lease)
  redis.call('HSET', key('leases', member_of(lease)), lease, PURSE .. purse)
  add_to_purse(purse, 'held', amount - before)
end

function drop_hold(lease, purse)
  local amount = redis.call('HGET', key('holds', purse), lease)
  redis.call('HDEL', key('leases', member_of(lease)), lease)
  if not amount then return end
  redis.call('HDEL', key('holds', purse), lease)
  redis.call('ZREM', key('ends', purse), lease)
  add_to_purse(purse, 'held', -tonumber(amount))
end

-- Takes away holds that have ended, where more is wanted than is free.
local function free_for(purse, amount, now)
  local free = free_nanos(purse)
  if amount <= free then return free end
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', key('ends', purse), '-inf', now)) do
    drop_hold(lease, purse)
  end
  return free_nanos(purse)
end

-- Sets money aside in each of the purses that ARGV names from a place on, or in none. Of each: lease, purse, amount,
-- what the books have available ('inf': no bound), their revision, for how many milliseconds. What has been set aside
-- already, by the node itself, counts even beyond what there is.
-- Gives {'held', 0, of each purse what is free, what is held and what is not booked} or {'unaffordable', place of the
-- purse from 1, the same of this one}; sums as text.
local function set_aside(from, now, is_done)
  local answer = { 'held', '0' }
  for at = from, #ARGV, 6 do
    local lease, purse, amount = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
    local verdict = 'held'
    if amount > 0 then
      show_books(purse, ARGV[at + 3], ARGV[at + 4])
      if not is_done and amount > free_for(purse, amount, now) then verdict = 'unaffordable' end
    end
    if verdict ~= 'held' then
      for earlier = from, at - 1, 6 do drop_hold(ARGV[earlier], ARGV[earlier + 1]) end
      answer = { verdict, exact((at - from) / 6 + 1) }
    else
      put_hold(lease, purse, amount, now + tonumber(ARGV[at + 5]))
    end
    answer[#answer + 1] = exact(free_nanos(purse))
    answer[#answer + 1] = exact(purse_number(purse, 'held'))
    answer[#answer + 1] = exact(purse_number(purse, 'unbooked'))
    if verdict ~= 'held' then return answer end
  end
  return answer
end

-- How much one answers for, of a purse, from now on.
local function set_share(owner, purse, nanos)
  local shares = key('shares', purse)
  local before = tonumber(redis.call('HGET', shares, owner) or '0')
  if nanos == before then return end
  add_to_purse(purse, 'unbooked', nanos - before)
  if nanos == 0 then
    redis.call('HDEL', shares, owner)
    redis.call('SREM', key('answers', owner), purse)
  else
    redis.call('HSET', shares, owner, exact(nanos))
    redis.call('SADD', key('answers', owner), purse)
  end
end
