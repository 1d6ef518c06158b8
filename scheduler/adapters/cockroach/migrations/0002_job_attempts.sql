-- The history: one row for each attempt that has ended, written by whoever ended it.
CREATE TABLE IF NOT EXISTS job_attempts (
    job_id UUID NOT NULL,
    fence INT8 NOT NULL,
    number INT4 NOT NULL,
    worker_id UUID NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (job_id, fence),
    CONSTRAINT job_attempts_outcome_check CHECK (
        outcome IN ('SUCCEEDED', 'RETRY', 'FAILED', 'TIMED_OUT', 'LOST', 'CANCELLED', 'RELEASED')
    )
)
