CREATE INDEX IF NOT EXISTS jobs_by_type ON jobs (type, created_at, id)
