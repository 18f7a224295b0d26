--[[
Takes a slot, or a place in the line for one, looks up what a conversation is bound to on the way, and sets money aside
where the slot is free.
KEYS[1] is the base of all keys.
ARGV: member, lease, holder, limit, longest line that may be joined, conversation (empty: none), then of each purse the
six words of `set_aside`.
Returns {'held' | 'waiting' | 'full' | 'unknown', length of the line, account or '', what `set_aside` gives}; 'unknown'
is the member.
]]
local member, lease, holder = ARGV[1], ARGV[2], ARGV[3]
local limit, waiters_max = tonumber(ARGV[4]), tonumber(ARGV[5])
if not is_known(member, lease) then return { 'unknown', 0, '' } end
local now = now_ms()
local bound = ARGV[6] ~= '' and redis.call('GET', key('bound', ARGV[6])) or ''
set_limit(holder, limit)
grant_next(holder, now)
if has_room(holder, limit) then
  hold(lease, holder, now)
  if #ARGV == 6 then return { 'held', 0, bound } end
  return { 'held', 0, bound, unpack(set_aside(7, now, false)) }
end
local waiting = redis.call('ZCARD', key('line', holder))
if waiting >= waiters_max then return { 'full', waiting, bound } end
join_line(lease, holder, now)
return { 'waiting', waiting + 1, bound }
