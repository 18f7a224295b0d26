--[[
Says how much one answers for of a purse, shows the books if there are any to show, and ends a hold, all in one step.
KEYS[1] is the base of all keys.
ARGV: who answers, purse, how much from now on, what the books have available or '', their revision, lease or '',
member, the number of its next lease.
Returns nothing.
]]
-- It was said anew, with all else, over the next connection.
if is_late(ARGV[7], ARGV[8]) then return end
if ARGV[4] ~= '' then show_books(ARGV[2], ARGV[4], ARGV[5]) end
set_share(ARGV[1], ARGV[2], tonumber(ARGV[3]))
if ARGV[6] ~= '' then drop_hold(ARGV[6], ARGV[2]) end
