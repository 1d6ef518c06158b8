SELECT {job_columns}
FROM jobs AS j
WHERE j.type = %(type)s::TEXT AND {list_filter}
ORDER BY j.created_at DESC, j.id DESC
LIMIT %(limit)s::INT8
