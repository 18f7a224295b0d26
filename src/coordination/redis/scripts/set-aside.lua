--[[
Sets money aside for a request in each of its purses, or in none.
KEYS[1] is the base of all keys.
ARGV: member, '' | 'share' when the node has set its share aside, which counts if not everybody has said yet what it
holds | 'done' when it counts whatever there is, then of each purse the six words of `set_aside`.
Returns what `set_aside` gives, or {'unknown'}: the member is.
]]
local mode, now = ARGV[2], now_ms()
if mode == 'done' then return set_aside(3, now, true) end
if not is_known(ARGV[1], ARGV[3]) then return { 'unknown' } end
return set_aside(3, now, mode == 'share' and not is_settled(now))
