-- Of jobs that ended in an error: what it has in common with others of its kind. Empty: it ended before there were any.
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS error_fingerprint TEXT NOT NULL DEFAULT ''
