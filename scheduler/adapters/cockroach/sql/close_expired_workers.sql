UPDATE workers AS w
SET closed_at = now()
WHERE w.closed_at IS NULL AND w.lease_expires_at <= now() AND w.lease_expires_at <= %(expired_by)s::TIMESTAMPTZ
RETURNING w.id
