-- As scan_ended, in the order of creation: SUCCEEDED jobs are too many for an index of their ends.
SELECT s.id, s.version, s.place, s.matches, s.number
FROM (
    SELECT e.id, e.version, e.place, e.matches, row_number() OVER (ORDER BY e.place, e.id) AS number
    FROM unnest(%(states)s::TEXT[]) AS w (state)
    CROSS JOIN LATERAL (
        SELECT j.id, j.version, j.created_at AS place, ({ended_filter}) AS matches
        FROM jobs AS j
        WHERE j.state = w.state
            AND (j.created_at, j.id) > (%(after_at)s::TIMESTAMPTZ, %(after_id)s::UUID)
            AND j.created_at < %(created_before)s::TIMESTAMPTZ
        ORDER BY j.created_at, j.id
        LIMIT %(scan)s::INT8
    ) AS e
    ORDER BY number
    LIMIT %(scan)s::INT8
) AS s
WHERE s.matches OR s.number = %(scan)s::INT8
ORDER BY s.number
