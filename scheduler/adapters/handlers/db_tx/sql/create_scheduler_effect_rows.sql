-- A table of its own, so that the worker's role never needs to change a row.
CREATE TABLE IF NOT EXISTS scheduler_effect_rows (
    job_id UUID NOT NULL PRIMARY KEY,
    rows_affected INT8 NOT NULL
)
