-- The second count begins with the RUNNING jobs: there are fewer of them than of workers that were closed in a week.
SELECT (
    (SELECT count(*) FROM workers AS w WHERE w.closed_at IS NULL AND w.lease_expires_at <= now())
    + (
        SELECT count(*)
        FROM (SELECT DISTINCT j.worker_id FROM jobs AS j WHERE j.state = 'RUNNING') AS h
        CROSS JOIN LATERAL (
            SELECT w.id FROM workers AS w WHERE w.id = h.worker_id AND w.closed_at IS NOT NULL LIMIT 1
        ) AS c
    )
)::INT8
