--[[
Tells whether everybody has said what it holds since Redis could not be asked or has forgotten.
KEYS[1] is the base of all keys.
Returns 1 when that is so.
]]
return is_settled(now_ms()) and 1 or 0
