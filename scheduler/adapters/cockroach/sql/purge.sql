WITH gone AS (
    DELETE FROM jobs AS j
    WHERE (j.id, j.op_id) IN (
        SELECT d.id, d.op_id FROM unnest(%(ids)s::UUID[], %(op_ids)s::UUID[]) AS d (id, op_id)
    )
    RETURNING j.id
),
unlabelled AS (
    DELETE FROM job_labels AS l
    WHERE (l.key, l.value, l.created_at, l.job_id) IN (
        SELECT d.key, d.value, d.created_at, d.job_id
        FROM unnest(
            %(label_key)s::TEXT[], %(label_value)s::TEXT[], %(label_created_at)s::TIMESTAMPTZ[], %(label_job_id)s::UUID[]
        ) AS d (key, value, created_at, job_id)
        JOIN gone AS g ON g.id = d.job_id
    )
    RETURNING l.job_id
),
forgotten AS (
    DELETE FROM job_attempts AS a
    WHERE a.job_id IN (SELECT g.id FROM gone AS g)
    RETURNING a.job_id
)
SELECT count(*)::INT8 FROM gone
