SELECT {job_columns}
FROM jobs AS j
WHERE j.id = ANY(%(ids)s::UUID[])
