SELECT {job_columns}
FROM workers AS w
JOIN jobs AS j ON j.worker_id = w.id
WHERE w.closed_at >= now() - %(within)s::FLOAT8 * INTERVAL '1 second' AND j.state = 'RUNNING'
LIMIT %(limit)s::INT8
