j.state = ANY(%(states)s::TEXT[])
    AND (%(priority)s::TEXT IS NULL OR j.priority = %(priority)s::TEXT)
    AND (%(type)s::TEXT IS NULL OR j.type = %(type)s::TEXT)
    AND (%(labels)s::TEXT = '{}' OR j.labels::JSONB @> %(labels)s::TEXT::JSONB)
    AND j.created_at >= %(created_after)s::TIMESTAMPTZ AND j.created_at < %(created_before)s::TIMESTAMPTZ
    AND j.finished_at >= %(finished_after)s::TIMESTAMPTZ AND j.finished_at < %(finished_before)s::TIMESTAMPTZ
    AND (%(error_text)s::TEXT IS NULL OR strpos(j.last_error, %(error_text)s::TEXT) > 0)
