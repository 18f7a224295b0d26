--[[
Tells all members what has changed about accounts, and keeps it for those that were not listening.
KEYS[1] is the base of all keys.
ARGV: news for all as text, then of each piece that is kept: its name, its text ('' forgets it).
Returns nothing.
]]
for index = 2, #ARGV, 2 do
  if ARGV[index + 1] == '' then
    redis.call('HDEL', key('news'), ARGV[index])
  else
    redis.call('HSET', key('news'), ARGV[index], ARGV[index + 1])
  end
end
redis.call('PUBLISH', BASE .. CHANNEL.all, ARGV[1])
