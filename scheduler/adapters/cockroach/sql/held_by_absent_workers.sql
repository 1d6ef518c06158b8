SELECT {job_columns}
FROM jobs AS j
WHERE j.state = 'RUNNING'
    AND NOT EXISTS (SELECT 1 FROM workers AS w WHERE w.id = j.worker_id AND w.closed_at IS NULL)
LIMIT %(limit)s::INT8
