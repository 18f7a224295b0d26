--[[
Drops bindings, one stretch of the keys at a time.
KEYS[1] is the base of all keys.
ARGV: cursor, group or '', account or '', how many keys to look at.
Returns {next cursor ('0': it was the last stretch), how many were dropped}.
]]
-- Redis reads patterns as globs; the base holds nothing but braces, letters, digits and colons.
local pattern = key('bound', (ARGV[2] ~= '' and ARGV[2] or '*') .. ':*')
local found = redis.call('SCAN', ARGV[1], 'MATCH', pattern, 'COUNT', ARGV[4])
local dropped = 0
for _, place in ipairs(found[2]) do
  if ARGV[3] == '' or redis.call('GET', place) == ARGV[3] then
    dropped = dropped + redis.call('DEL', place)
  end
end
return { found[1], dropped }
