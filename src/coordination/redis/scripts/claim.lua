--[[
Takes all that only one request can have of the first of some accounts that has it, and binds the conversation.
KEYS[1] is the base of all keys.
ARGV: member, lease, 1 when a slot is held already, conversation, for how many milliseconds it is bound (0: not), the
account that it stays bound to or '', then for each account: its id, its limit, how many requests of this minute there
may be ('' not counted, 'inf' without a limit), how many conversations ('' not counted), for how long one counts in
milliseconds, for how long this request may probe it in milliseconds (0: no probe).
Returns {'taken', place of the account from 1, requests of this minute, why each before it was not} or {'none', 0, 0, why
each was not} or {'unknown', 0, 0}; 'unknown' is the member.
]]
local member, lease, has_slot, conversation = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4]
if not is_known(member, lease) then return { 'unknown', 0, 0 } end
local now = now_ms()
local minute = math.floor(now / 60000)
local refusals = {}

local function active(account, idle_ms)
  local place = key('active', account)
  redis.call('ZREMRANGEBYSCORE', place, '-inf', now - idle_ms)
  return place
end

-- Why an account cannot be taken; nil when it can.
local function refusal(account, limit, requests_max, sessions_max, idle_ms, probe_ms)
  if not has_slot and not has_room('a' .. account, limit) then return 'full' end
  if requests_max ~= '' and requests_max ~= 'inf' then
    local counted = tonumber(redis.call('GET', key('minute', account .. ':' .. minute)) or '0')
    if counted >= tonumber(requests_max) then return 'requests' end
  end
  if sessions_max ~= '' then
    local place = active(account, idle_ms)
    local is_new = redis.call('ZSCORE', place, conversation) == false
    if is_new and redis.call('ZCARD', place) >= tonumber(sessions_max) then return 'sessions' end
  end
  if probe_ms > 0 and not redis.call('SET', key('probe', account), member, 'NX', 'PX', probe_ms) then
    return 'circuit'
  end
  return nil
end

for index = 7, #ARGV, 6 do
  local account, limit = ARGV[index], tonumber(ARGV[index + 1])
  local requests_max, sessions_max = ARGV[index + 2], ARGV[index + 3]
  local idle_ms = tonumber(ARGV[index + 4])
  if not has_slot then
    set_limit('a' .. account, limit)
    grant_next('a' .. account, now)
  end
  local why = refusal(account, limit, requests_max, sessions_max, idle_ms, tonumber(ARGV[index + 5]))
  if not why then
    if not has_slot then hold(lease, 'a' .. account, now) end
    local requests = 0
    if requests_max ~= '' then
      local counter = key('minute', account .. ':' .. minute)
      requests = redis.call('INCR', counter)
      redis.call('PEXPIRE', counter, MINUTE_KEPT_MS)
    end
    if sessions_max ~= '' then
      redis.call('ZADD', key('active', account), now, conversation)
      redis.call('PEXPIRE', key('active', account), idle_ms)
    end
    if ARGV[5] ~= '0' and (ARGV[6] == '' or ARGV[6] == account) then
      redis.call('SET', key('bound', conversation), account, 'PX', ARGV[5])
    end
    return { 'taken', (index - 1) / 6, requests, unpack(refusals) }
  end
  refusals[#refusals + 1] = why
end
return { 'none', 0, 0, unpack(refusals) }
