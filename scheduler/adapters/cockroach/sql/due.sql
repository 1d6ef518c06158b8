SELECT {job_columns}
FROM {shards}
CROSS JOIN LATERAL (
    SELECT {job_columns}
    FROM jobs AS j
    WHERE j.state IN ('SCHEDULED', 'RETRYING') AND j.shard = s.shard AND j.run_at <= %(now)s::TIMESTAMPTZ
    ORDER BY j.run_at, j.id
    LIMIT %(limit)s::INT8
) AS j
ORDER BY j.run_at, j.id
LIMIT %(limit)s::INT8
