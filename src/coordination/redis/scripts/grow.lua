--[[
Makes a hold larger, and lets it last longer, if it is still there and its purse has as much left.
KEYS[1] is the base of all keys.
ARGV: lease, purse, by how much, what the books have available ('inf': no bound), their revision, by how much the purse
may be overdrawn for it, for how many milliseconds from now.
Returns 1 when it did.
]]
local lease, purse, more = ARGV[1], ARGV[2], tonumber(ARGV[3])
local now = now_ms()
show_books(purse, ARGV[4], ARGV[5])
local ends = redis.call('ZSCORE', key('ends', purse), lease)
if not ends or tonumber(ends) <= now then return 0 end
if more > 0 and more > free_for(purse, more, now) + tonumber(ARGV[6]) then return 0 end
redis.call('ZADD', key('ends', purse), 'GT', now + tonumber(ARGV[7]), lease)
redis.call('HINCRBY', key('holds', purse), lease, exact(more))
add_to_purse(purse, 'held', more)
return 1
