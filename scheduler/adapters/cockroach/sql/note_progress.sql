-- Only under the write that started the attempt, and never an earlier note over a later one.
UPDATE jobs AS j
SET progress = n.progress, progress_message = n.progress_message, progress_at = n.progress_at
FROM unnest(
    %(id)s::UUID[], %(version)s::INT8[], %(op_id)s::UUID[], %(progress)s::FLOAT8[], %(progress_message)s::TEXT[],
    %(progress_at)s::TIMESTAMPTZ[]
) AS n (id, version, op_id, progress, progress_message, progress_at)
WHERE j.id = n.id AND j.version = n.version AND j.op_id = n.op_id AND j.state = 'RUNNING'
    AND (j.progress_at IS NULL OR j.progress_at <= n.progress_at)
RETURNING j.id
