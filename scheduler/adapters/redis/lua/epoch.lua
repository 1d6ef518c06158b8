-- Prepended, after the prelude, to the scripts that judge the epoch.

-- Names this life of this server: a restart and a failover bring another id, with or without the data.
local function run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

-- The epoch as it stands, or '' where the data were lost, with the key itself.
local function epoch(key)
  return heal('GET', key) or ''
end
