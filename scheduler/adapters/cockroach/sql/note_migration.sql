INSERT INTO schema_migrations (name, checksum, applied_at)
VALUES (%(name)s::TEXT, %(checksum)s::TEXT, now())
ON CONFLICT (name) DO NOTHING
RETURNING name
