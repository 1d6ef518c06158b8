DELETE FROM workers AS w
WHERE w.closed_at < now() - %(before)s::FLOAT8 * INTERVAL '1 second'
    AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.worker_id = w.id AND j.state = 'RUNNING')
RETURNING w.id
