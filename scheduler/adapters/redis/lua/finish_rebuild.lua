-- KEYS: epoch. ARGV: the token. Returns 1 when the data are whole: this rebuild, or one beside it, is finished.
local current = run_id()
local value = epoch(KEYS[1])
if value == ARGV[1] and string.find(value, 'building:' .. current .. ':', 1, true) == 1 then
  redis.call('SET', KEYS[1], current)
  value = current
end
return value == current and 1 or 0
