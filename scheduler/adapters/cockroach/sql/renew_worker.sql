UPDATE workers AS w
SET lease_expires_at = now() + %(lease)s::FLOAT8 * INTERVAL '1 second'
WHERE w.id = %(id)s::UUID AND w.closed_at IS NULL
RETURNING w.id
