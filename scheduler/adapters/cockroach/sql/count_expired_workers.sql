SELECT count(*)::INT8
FROM workers AS w
WHERE w.closed_at IS NULL AND w.lease_expires_at <= now()
