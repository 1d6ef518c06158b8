-- Optional, for CockroachDB only: run by hand after `scheduler migrate`, statement by statement, as a role that owns the
-- tables. Nothing needs it; docs/maintenance.md says what each part is for. Not run on a cluster by the test suite.

-- 1. Old versions of rows. A job is written three times and soon deleted; the default keeps each version for four hours.
--    Incremental backups and AS OF SYSTEM TIME reach back no further than this: back up more often than that.
ALTER TABLE jobs CONFIGURE ZONE USING gc.ttlseconds = 3600;
ALTER TABLE job_attempts CONFIGURE ZONE USING gc.ttlseconds = 3600;
ALTER TABLE job_labels CONFIGURE ZONE USING gc.ttlseconds = 3600;

-- 2. Indexes in the order of time have one hot end: all inserts go to one range. Hashed, they spread; reads of a page then
--    merge the buckets. Worth it above some 1,000 submits a second, when one node of the cluster is far busier than others.
--    Each index is absent while it is built: do it when few list jobs.
DROP INDEX jobs@jobs_by_age;
CREATE INDEX jobs_by_age ON jobs (created_at, id) USING HASH WITH (bucket_count = 8);
DROP INDEX jobs@jobs_by_state;
CREATE INDEX jobs_by_state ON jobs (state, created_at, id) USING HASH WITH (bucket_count = 8);
DROP INDEX jobs@jobs_by_type;
CREATE INDEX jobs_by_type ON jobs (type, created_at, id) USING HASH WITH (bucket_count = 8);

-- 3. A backstop behind the reaper's retention, in case no reaper runs for months. Longer than KEEP_FAILED_DAYS, or it deletes
--    what the reaper is to keep. It leaves the labels of such jobs behind, so it is no replacement. A job that has not ended
--    has no finished_at and never expires.
ALTER TABLE jobs SET (
    ttl_expiration_expression = '((finished_at AT TIME ZONE ''UTC'') + INTERVAL ''180 days'') AT TIME ZONE ''UTC''',
    ttl_job_cron = '@daily'
);
ALTER TABLE job_attempts SET (
    ttl_expiration_expression = '((finished_at AT TIME ZONE ''UTC'') + INTERVAL ''180 days'') AT TIME ZONE ''UTC''',
    ttl_job_cron = '@daily'
);
