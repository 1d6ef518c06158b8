-- Worker processes and their leases; handlers is a JSON array of job types.
CREATE TABLE IF NOT EXISTS workers (
    id UUID NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    pid INT8 NOT NULL,
    version TEXT NOT NULL,
    slots INT4 NOT NULL,
    handlers TEXT NOT NULL,
    registered_at TIMESTAMPTZ NOT NULL,
    lease_expires_at TIMESTAMPTZ NOT NULL,
    closed_at TIMESTAMPTZ
)
