--[[
Sets money aside for a request in each of its purses, or in none.
KEYS[1] is the base of all keys.
ARGV: member, then of each purse the six words of `set_aside`.
Returns what `set_aside` gives, or {'unknown'}: the member is.
]]
if not is_known(ARGV[1]) then return { 'unknown' } end
return set_aside(2, now_ms())
