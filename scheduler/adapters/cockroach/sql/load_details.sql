SELECT {job_columns}, j.payload, j.result, j.traceparent, j.tracestate
FROM jobs AS j
WHERE j.id = ANY(%(ids)s::UUID[])
