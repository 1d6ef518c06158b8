SELECT j.id, j.idempotency_key, j.request_hash, j.created_op_id
FROM jobs AS j
WHERE j.id = ANY(%(ids)s::UUID[])
UNION ALL
SELECT j.id, j.idempotency_key, j.request_hash, j.created_op_id
FROM jobs AS j
WHERE j.idempotency_key = ANY(%(keys)s::TEXT[]) AND j.idempotency_key IS NOT NULL
