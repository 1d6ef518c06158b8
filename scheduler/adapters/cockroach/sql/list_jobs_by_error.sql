SELECT {job_columns}
FROM jobs AS j
WHERE j.error_fingerprint = %(error_fingerprint)s::TEXT AND j.state IN ('FAILED', 'DEADLETTER') AND j.version > 0
    AND {list_filter}
ORDER BY j.created_at DESC, j.id DESC
LIMIT %(limit)s::INT8
