-- What the last attempt said last of its progress, in percent and words; NULL: nothing.
ALTER TABLE jobs
    ADD COLUMN IF NOT EXISTS progress FLOAT8,
    ADD COLUMN IF NOT EXISTS progress_message TEXT,
    ADD COLUMN IF NOT EXISTS progress_at TIMESTAMPTZ
