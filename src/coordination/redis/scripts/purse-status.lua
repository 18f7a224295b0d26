--[[
Tells what counts against a purse besides its books.
KEYS[1] is the base of all keys.
ARGV: purse.
Returns {what is held, what is not booked}, as text.
]]
return { exact(purse_number(ARGV[1], 'held')), exact(purse_number(ARGV[1], 'unbooked')) }
