INSERT INTO scheduler_effects (job_id, fence, attempt, payload_hash, applied_at)
VALUES (%(job_id)s::UUID, %(fence)s::INT8, %(attempt)s::INT4, %(payload_hash)s::TEXT, now())
ON CONFLICT (job_id) DO NOTHING
RETURNING job_id
