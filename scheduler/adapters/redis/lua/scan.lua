-- KEYS: one sorted set. ARGV: ZSCAN cursor, count. Returns (next cursor, junk removed, members...).
local page, wrong = heal('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local junk = wrong and 1 or 0
local found = { page[1], 0 }
for i = 1, #page[2], 2 do
  local member = page[2][i]
  if is_id(member) then
    table.insert(found, member)
  else
    junk = junk + redis.call('ZREM', KEYS[1], member)
  end
end
found[2] = junk
return found
