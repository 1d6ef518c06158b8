-- The trace in which a job was submitted (W3C Trace Context); NULL: it came without.
ALTER TABLE jobs
    ADD COLUMN IF NOT EXISTS traceparent TEXT,
    ADD COLUMN IF NOT EXISTS tracestate TEXT
