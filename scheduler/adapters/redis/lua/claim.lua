-- KEYS: processing, then a queue for each step of the plan (a queue may come twice).
-- ARGV: limit, hand-out in ms, then the quota of each step. Returns (step, member, score)...
local left = tonumber(ARGV[1])
local deadline = now_ms() + tonumber(ARGV[2])
local claimed = {}

-- False for a member that cannot be a job, or that is handed out already: both only leave the queue.
local function hand_out(member)
  return is_id(member) and heal('ZADD', KEYS[1], 'NX', deadline, member) == 1
end

for step = 1, #KEYS - 1 do
  local want = math.min(left, tonumber(ARGV[2 + step]))
  left = left - want
  while want > 0 do
    local popped = heal('ZPOPMIN', KEYS[1 + step], want)
    if #popped == 0 then
      break
    end
    for i = 1, #popped, 2 do
      if hand_out(popped[i]) then
        want = want - 1
        table.insert(claimed, step)
        table.insert(claimed, popped[i])
        table.insert(claimed, popped[i + 1])
      end
    end
  end
  left = left + want
end
return claimed
