SELECT {job_columns}
FROM jobs AS j
WHERE {list_filter}
ORDER BY j.created_at DESC, j.id DESC
LIMIT %(limit)s::INT8
