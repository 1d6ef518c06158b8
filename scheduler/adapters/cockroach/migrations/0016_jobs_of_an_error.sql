-- The list of one kind's jobs. Every version is above 0: only a statement that says so walks this index, and no planner
-- takes it for the one of their ends.
CREATE INDEX IF NOT EXISTS jobs_of_an_error ON jobs (error_fingerprint, created_at, id)
WHERE state IN ('FAILED', 'DEADLETTER') AND version > 0
