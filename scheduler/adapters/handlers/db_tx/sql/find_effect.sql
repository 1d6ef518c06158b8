SELECT e.attempt, e.payload_hash, r.rows_affected
FROM scheduler_effects AS e
JOIN scheduler_effect_rows AS r ON r.job_id = e.job_id
WHERE e.job_id = %(job_id)s::UUID
