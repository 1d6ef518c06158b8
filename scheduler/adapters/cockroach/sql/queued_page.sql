SELECT q.id, q.priority, q.queued_at
FROM unnest(%(priorities)s::TEXT[], %(after_times)s::TIMESTAMPTZ[], %(after_ids)s::UUID[]) AS c (priority, queued_at, id)
CROSS JOIN LATERAL (
    SELECT p.id, p.priority, p.queued_at
    FROM {shards}
    CROSS JOIN LATERAL (
        SELECT j.id, j.priority, j.queued_at
        FROM jobs AS j
        WHERE j.state = 'QUEUED' AND j.shard = s.shard AND j.priority = c.priority
            AND (j.queued_at, j.id) > (c.queued_at, c.id) AND j.queued_at < %(before)s::TIMESTAMPTZ
        ORDER BY j.queued_at, j.id
        LIMIT %(limit)s::INT8
    ) AS p
    ORDER BY p.queued_at, p.id
    LIMIT %(limit)s::INT8
) AS q
