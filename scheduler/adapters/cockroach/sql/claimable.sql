-- COALESCE keeps PostgreSQL from guessing how many rows have these types: for few it would read and sort whole queues.
SELECT q.id, q.priority, q.queued_at
FROM unnest(%(priorities)s::TEXT[]) AS c (priority)
CROSS JOIN LATERAL (
    SELECT p.id, p.priority, p.queued_at
    FROM {shards}
    CROSS JOIN LATERAL (
        SELECT j.id, j.priority, j.queued_at
        FROM jobs AS j
        WHERE j.state = 'QUEUED' AND j.shard = s.shard AND j.priority = c.priority
            AND COALESCE(j.type = ANY(%(types)s::TEXT[]), FALSE) AND j.id <> ALL(%(excluding)s::UUID[])
        ORDER BY j.queued_at, j.id
        LIMIT %(limit)s::INT8
    ) AS p
    ORDER BY p.queued_at, p.id
    LIMIT %(limit)s::INT8
) AS q
