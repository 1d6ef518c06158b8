-- Sweep: the queues, as SQL knows them.
CREATE INDEX IF NOT EXISTS jobs_queued ON jobs (shard, priority, queued_at, id) WHERE state = 'QUEUED'
