-- Prepended to every other script.

-- Calls a command on a key. A key of the wrong type would break its queue for ever: it goes, and the call is repeated.
-- Any other error is raised by the repetition, as if there had been no first call.
local function heal(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then
    return reply, false
  end
  local wrong = string.find(reply.err, 'WRONGTYPE', 1, true) ~= nil
  if wrong then
    redis.call('UNLINK', key)
  end
  return redis.call(command, key, ...), wrong
end

-- The server's own clock, in ms: small enough for every conversion of a Lua number to be exact.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function wake(channel)
  if channel ~= '' then
    redis.call('PUBLISH', channel, '1')
  end
end

local HEX = '[0-9a-f]'
local UUID = '^' .. HEX:rep(8) .. '%-' .. (HEX:rep(4) .. '%-'):rep(3) .. HEX:rep(12) .. '$'

local function is_id(member)
  return string.find(member, UUID) ~= nil
end

-- Entries: for each queue from KEYS[first_key] on, ARGV holds from `at` on a count, and after all counts that many
-- (score, member) pairs of each queue in turn. Returns where the arguments behind the entries begin.
local function each_entry(first_key, at, visit)
  local pair = at + #KEYS - first_key + 1
  for k = first_key, #KEYS do
    for _ = 1, tonumber(ARGV[at + k - first_key]) do
      visit(KEYS[k], ARGV[pair], ARGV[pair + 1])
      pair = pair + 2
    end
  end
  return pair
end
