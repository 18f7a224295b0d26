--[[
Gives back what a member held and waited for that has certainly ended.
KEYS[1] is the base of all keys.
ARGV: member, how many leases to give back at most.
Returns how many leases were given back.
]]
return bury_dead(now_ms(), tonumber(ARGV[2]), ARGV[1])
