-- KEYS: processing. ARGV: limit. Returns overdue ids; removes overdue members that cannot be jobs.
local overdue = {}
local members = heal('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms(), 'LIMIT', 0, ARGV[1])
for _, member in ipairs(members) do
  if is_id(member) then
    table.insert(overdue, member)
  else
    redis.call('ZREM', KEYS[1], member)
  end
end
return overdue
