-- KEYS: processing, queues. ARGV: wake channel, entries (see prelude), then members that are to be forgotten.
-- Touches only what is overdue still. Returns how many came back.
local now = now_ms()
local back = 0

local function forget_if_overdue(member)
  local deadline = heal('ZSCORE', KEYS[1], member)
  return deadline and tonumber(deadline) <= now and redis.call('ZREM', KEYS[1], member) == 1
end

local first_gone = each_entry(2, 2, function(queue, score, member)
  if forget_if_overdue(member) then
    heal('ZADD', queue, 'NX', score, member)
    back = back + 1
  end
end)
for i = first_gone, #ARGV do
  forget_if_overdue(ARGV[i])
end
if back > 0 then
  wake(ARGV[1])
end
return back
