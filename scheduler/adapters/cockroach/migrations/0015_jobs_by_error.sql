-- Dead letters by their kind of error, and what is counted of each kind.
CREATE INDEX IF NOT EXISTS jobs_by_error ON jobs (error_fingerprint, finished_at, id) INCLUDE (state)
WHERE state IN ('FAILED', 'DEADLETTER')
