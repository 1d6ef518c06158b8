-- Final jobs in the order of their creation, which bounds the search: nothing ends before it was created.
SELECT d.id, d.op_id, d.created_at, d.labels
FROM unnest(%(states)s::TEXT[]) AS r (state)
CROSS JOIN LATERAL (
    SELECT j.id, j.op_id, j.created_at, j.labels
    FROM jobs AS j
    WHERE j.state = r.state AND j.created_at < %(before)s::TIMESTAMPTZ AND j.finished_at < %(before)s::TIMESTAMPTZ
    ORDER BY j.created_at, j.id
    LIMIT %(limit)s::INT8
) AS d
LIMIT %(limit)s::INT8
