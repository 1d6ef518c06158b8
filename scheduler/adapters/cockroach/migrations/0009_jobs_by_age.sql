CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (created_at, id)
