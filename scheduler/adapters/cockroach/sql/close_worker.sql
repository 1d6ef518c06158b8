UPDATE workers AS w
SET closed_at = now()
WHERE w.id = %(id)s::UUID AND w.closed_at IS NULL
RETURNING w.id
