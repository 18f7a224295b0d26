--[[
Tells all that is kept about accounts, and the number of nodes that live.
KEYS[1] is the base of all keys.
Returns {number of nodes, pieces of news by turns with their names}.
]]
return { count_nodes(now_ms()), redis.call('HGETALL', key('news')) }
