--[[
Says that a member lives.
KEYS[1] is the base of all keys.
ARGV: member.
Returns {1 when the member is known, how many leases it has}.
]]
if not is_known(ARGV[1]) then return { 0, 0 } end
redis.call('ZADD', key('members'), now_ms(), ARGV[1])
return { 1, redis.call('HLEN', key('leases', ARGV[1])) }
