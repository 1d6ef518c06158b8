-- KEYS: processing, queues. ARGV: wake channel, entries (see prelude).
-- Only what is still handed out comes back: the rest was cancelled, or returned by others.
local back = 0
each_entry(2, 2, function(queue, score, member)
  if heal('ZREM', KEYS[1], member) == 1 then
    back = back + heal('ZADD', queue, 'NX', score, member)
  end
end)
if back > 0 then
  wake(ARGV[1])
end
return back
