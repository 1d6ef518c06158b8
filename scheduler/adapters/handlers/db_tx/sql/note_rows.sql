INSERT INTO scheduler_effect_rows (job_id, rows_affected)
VALUES (%(job_id)s::UUID, %(rows_affected)s::INT8)
