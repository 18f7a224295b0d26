--[[
Sets money aside for a request if its purse has as much left.
KEYS[1] is the base of all keys.
ARGV: member, lease, purse, amount, what the books have available ('inf': no bound), their revision, for how many
milliseconds.
Returns {'held' | 'unaffordable' | 'unknown', what is free, what is held, what is not booked, what of it may come back},
sums as text; 'unknown' is the member.
]]
local lease, purse, amount = ARGV[2], ARGV[3], tonumber(ARGV[4])
if not is_known(ARGV[1]) then return { 'unknown', '0', '0', '0', '0' } end
local now = now_ms()
local verdict = can_pay(purse, amount, ARGV[5], ARGV[6], now) and 'held' or 'unaffordable'
if verdict == 'held' then put_hold(lease, purse, amount, now + tonumber(ARGV[7])) end
local held, unbooked = purse_number(purse, 'held'), purse_number(purse, 'unbooked')
return { verdict, exact(free_nanos(purse)), exact(held), exact(unbooked), exact(may_come_back(purse, now)) }
