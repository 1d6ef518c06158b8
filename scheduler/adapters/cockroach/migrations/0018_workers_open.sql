-- Who may hold a lease. lease_expires_at is no part of it: a renewal would write the index, too.
CREATE INDEX IF NOT EXISTS workers_open ON workers (id) WHERE closed_at IS NULL
