SELECT {job_columns}
FROM job_labels AS l
JOIN jobs AS j ON j.id = l.job_id
WHERE l.key = %(label_key)s::TEXT AND l.value = %(label_value)s::TEXT
    AND (l.created_at, l.job_id) < (%(before_at)s::TIMESTAMPTZ, %(before_id)s::UUID)
    AND l.created_at >= %(since)s::TIMESTAMPTZ
    AND {list_filter}
ORDER BY l.created_at DESC, l.job_id DESC
LIMIT %(limit)s::INT8
