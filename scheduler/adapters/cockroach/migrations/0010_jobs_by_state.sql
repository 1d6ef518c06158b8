-- Also the way to old final jobs, and to the counts of a state.
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, created_at, id)
