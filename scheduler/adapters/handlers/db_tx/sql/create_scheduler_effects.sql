CREATE TABLE IF NOT EXISTS scheduler_effects (
    job_id UUID NOT NULL PRIMARY KEY,
    fence INT8 NOT NULL,
    attempt INT4 NOT NULL,
    payload_hash TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL
)
