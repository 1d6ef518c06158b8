SELECT {job_columns}, j.payload, j.result
FROM jobs AS j
WHERE j.id = ANY(%(ids)s::UUID[])
