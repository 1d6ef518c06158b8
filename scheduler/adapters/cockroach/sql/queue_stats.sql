SELECT p.priority,
    (
        SELECT count(*)::INT8
        FROM (
            SELECT 1 AS one
            FROM jobs AS j
            WHERE j.state = 'QUEUED' AND j.shard IN (0, 1, 2, 3, 4, 5, 6, 7) AND j.priority = p.priority
            LIMIT %(cap)s::INT8
        ) AS q
    ),
    (
        SELECT min(q.queued_at)
        FROM {shards}
        CROSS JOIN LATERAL (
            SELECT j.queued_at
            FROM jobs AS j
            WHERE j.state = 'QUEUED' AND j.shard = s.shard AND j.priority = p.priority
            ORDER BY j.queued_at, j.id
            LIMIT 1
        ) AS q
    )
FROM unnest(%(priorities)s::TEXT[]) AS p (priority)
UNION ALL
SELECT c.state,
    (
        SELECT count(*)::INT8
        FROM (SELECT 1 AS one FROM jobs AS j WHERE j.state = c.state LIMIT %(cap)s::INT8) AS q
    ),
    NULL::TIMESTAMPTZ
FROM unnest(%(states)s::TEXT[]) AS c (state)
