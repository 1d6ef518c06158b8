-- KEYS: epoch. ARGV: a nonce. Returns the token of the rebuild.
-- A rebuild that has begun on these data is joined, or reapers would undo each other's marks for ever. The nonce tells
-- it from an earlier one whose mark, and perhaps entries, were lost.
local mark = 'building:' .. run_id() .. ':'
local value = epoch(KEYS[1])
if string.sub(value, 1, #mark) == mark then
  return value
end
local token = mark .. ARGV[1]
redis.call('SET', KEYS[1], token)
return token
