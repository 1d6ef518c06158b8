SELECT j.id, j.version
FROM jobs AS j
WHERE j.worker_id = %(worker_id)s::UUID AND j.state = 'RUNNING'
