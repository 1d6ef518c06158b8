-- KEYS: queues. ARGV: wake channel, entries (see prelude). Adds the entries that are not there yet.
local at = 2 + #KEYS
for k = 1, #KEYS do
  local last = at + 2 * tonumber(ARGV[1 + k]) - 1
  heal('ZADD', KEYS[k], 'NX', unpack(ARGV, at, last))
  at = last + 1
end
wake(ARGV[1])
