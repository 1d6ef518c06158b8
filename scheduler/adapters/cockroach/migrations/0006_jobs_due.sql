-- Sweep: jobs that wait for a time.
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (shard, run_at, id) WHERE state IN ('SCHEDULED', 'RETRYING')
