--[[
Tells all that is kept about accounts, and how many nodes and members live, 0 while it is not known.
KEYS[1] is the base of all keys.
Returns {number of nodes, number of members, pieces of news by turns with their names}.
]]
local nodes, members = count_nodes(now_ms())
return { nodes, members, redis.call('HGETALL', key('news')) }
