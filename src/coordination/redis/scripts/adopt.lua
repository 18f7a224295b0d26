--[[
Takes a slot that a node has granted out of its share. It counts beyond the limit if not everybody has said yet what it
holds; else only if it is free and nobody waits for it.
KEYS[1] is the base of all keys.
ARGV: member, lease, holder, limit.
Returns 'held', 'full' or 'unknown'; 'unknown' is the member.
]]
local member, lease, holder, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if not is_known(member, lease) then return 'unknown' end
local now = now_ms()
if is_settled(now) then
  set_limit(holder, limit)
  grant_next(holder, now)
  if not has_room(holder, limit) then return 'full' end
end
hold(lease, holder, now)
return 'held'
