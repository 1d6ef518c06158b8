-- KEYS: any sorted sets. ARGV: members. Removes all members from all keys; returns how many were there.
local removed = 0
for k = 1, #KEYS do
  removed = removed + heal('ZREM', KEYS[k], unpack(ARGV))
end
return removed
