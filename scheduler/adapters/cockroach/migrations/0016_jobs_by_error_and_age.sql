-- The list of one kind's jobs.
CREATE INDEX IF NOT EXISTS jobs_by_error_and_age ON jobs (error_fingerprint, created_at, id)
WHERE state IN ('FAILED', 'DEADLETTER')
