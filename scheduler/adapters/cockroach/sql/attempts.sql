-- The newest of them: a job that is requeued again and again has a history without end.
SELECT j.id, j.state, j.version, j.attempts, j.worker_id, j.started_at,
    a.fence, a.number, a.worker_id, a.started_at, a.finished_at, a.outcome, a.error
FROM jobs AS j
LEFT JOIN job_attempts AS a ON a.job_id = j.id
WHERE j.id = %(id)s::UUID
ORDER BY a.fence DESC
LIMIT %(limit)s::INT8
