-- Labels again, in the order in which a list by label reads them; jobs.labels is what a job's status shows.
CREATE TABLE IF NOT EXISTS job_labels (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    job_id UUID NOT NULL,
    PRIMARY KEY (key, value, created_at, job_id)
)
