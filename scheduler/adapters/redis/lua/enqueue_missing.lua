-- KEYS: processing, queues. ARGV: wake channel, entries (see prelude).
-- Adds what is neither in its queue nor handed out; returns how many were missing.
local added = 0
each_entry(2, 2, function(queue, score, member)
  if not heal('ZSCORE', KEYS[1], member) then
    added = added + heal('ZADD', queue, 'NX', score, member)
  end
end)
if added > 0 then
  wake(ARGV[1])
end
return added
