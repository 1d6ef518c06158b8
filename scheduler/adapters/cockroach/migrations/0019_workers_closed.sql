-- Sweeps: whose jobs are to be recovered, and who may be forgotten.
CREATE INDEX IF NOT EXISTS workers_closed ON workers (closed_at) WHERE closed_at IS NOT NULL
