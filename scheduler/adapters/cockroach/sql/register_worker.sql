-- A closed worker stays closed: its jobs are being taken from it.
INSERT INTO workers AS w (id, host, pid, version, slots, handlers, registered_at, lease_expires_at)
VALUES (
    %(id)s::UUID, %(host)s::TEXT, %(pid)s::INT8, %(version)s::TEXT, %(slots)s::INT4, %(handlers)s::TEXT, now(),
    now() + %(lease)s::FLOAT8 * INTERVAL '1 second'
)
ON CONFLICT (id) DO UPDATE SET lease_expires_at = excluded.lease_expires_at
WHERE w.closed_at IS NULL
RETURNING w.id
