-- What a requeue by filter walks, the oldest end first.
CREATE INDEX IF NOT EXISTS jobs_requeueable ON jobs (state, finished_at, id)
WHERE state IN ('FAILED', 'DEADLETTER', 'CANCELLED')
