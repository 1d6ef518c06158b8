(j.created_at, j.id) < (%(before_at)s::TIMESTAMPTZ, %(before_id)s::UUID)
    AND j.created_at >= %(since)s::TIMESTAMPTZ
    AND (%(state)s::TEXT IS NULL OR j.state = %(state)s::TEXT)
    AND (%(type)s::TEXT IS NULL OR j.type = %(type)s::TEXT)
    AND (%(priority)s::TEXT IS NULL OR j.priority = %(priority)s::TEXT)
    AND (%(labels)s::TEXT = '{}' OR j.labels::JSONB @> %(labels)s::TEXT::JSONB)
    AND (
        %(error_fingerprint)s::TEXT IS NULL
        OR (j.error_fingerprint = %(error_fingerprint)s::TEXT AND j.state IN ('FAILED', 'DEADLETTER'))
    )
