--[[
Takes a slot, or a place in the line for one, and looks up what a conversation is bound to on the way.
KEYS[1] is the base of all keys.
ARGV: member, lease, holder, limit, longest line that may be joined, conversation (empty: none), then of each purse that
money is wanted of its lease, purse, amount, what its books have available ('inf': no bound), their revision, for how many
milliseconds. All of the money is set aside, or none, and only where the slot is free at once.
Returns {'held' | 'waiting' | 'full' | 'unknown', length of the line, account or '', then where money was set aside of each
purse what is held and what is not booked, as text}; 'unknown' is the member.
]]
local member, lease, holder = ARGV[1], ARGV[2], ARGV[3]
local limit, waiters_max = tonumber(ARGV[4]), tonumber(ARGV[5])
if not is_known(member) then return { 'unknown', 0, '' } end
local now = now_ms()
local bound = ARGV[6] ~= '' and redis.call('GET', key('bound', ARGV[6])) or ''
set_limit(holder, limit)
grant_next(holder, now)
if has_room(holder, limit) then
  hold(lease, holder, now)
  local answer = { 'held', 0, bound }
  for index = 7, #ARGV, 6 do
    if not can_pay(ARGV[index + 1], tonumber(ARGV[index + 2]), ARGV[index + 3], ARGV[index + 4], now) then return answer end
  end
  for index = 7, #ARGV, 6 do
    local purse = ARGV[index + 1]
    put_hold(ARGV[index], purse, tonumber(ARGV[index + 2]), now + tonumber(ARGV[index + 5]))
    answer[#answer + 1] = exact(purse_number(purse, 'held'))
    answer[#answer + 1] = exact(purse_number(purse, 'unbooked'))
  end
  return answer
end
local waiting = redis.call('ZCARD', key('line', holder))
if waiting >= waiters_max then return { 'full', waiting, bound } end
join_line(lease, holder, now)
return { 'waiting', waiting + 1, bound }
