SELECT (
    (SELECT count(*) FROM workers AS w WHERE w.closed_at IS NULL AND w.lease_expires_at <= now())
    + (
        SELECT count(*)
        FROM workers AS w
        WHERE w.closed_at IS NOT NULL
            AND EXISTS (SELECT 1 FROM jobs AS j WHERE j.worker_id = w.id AND j.state = 'RUNNING')
    )
)::INT8
