-- Looks at so many jobs and no more, however few of them match; the last one looked at tells where to go on.
SELECT s.id, s.version, s.place, s.matches, s.number
FROM (
    SELECT e.id, e.version, e.place, e.matches, row_number() OVER (ORDER BY e.place, e.id) AS number
    FROM unnest(%(states)s::TEXT[]) AS w (state)
    CROSS JOIN LATERAL (
        SELECT j.id, j.version, j.finished_at AS place, ({ended_filter}) AS matches
        FROM jobs AS j
        WHERE j.state = w.state AND j.state IN ('FAILED', 'DEADLETTER', 'CANCELLED')
            AND (j.finished_at, j.id) > (%(after_at)s::TIMESTAMPTZ, %(after_id)s::UUID)
            AND j.finished_at < %(finished_before)s::TIMESTAMPTZ
        ORDER BY j.finished_at, j.id
        LIMIT %(scan)s::INT8
    ) AS e
    ORDER BY number
    LIMIT %(scan)s::INT8
) AS s
WHERE s.matches OR s.number = %(scan)s::INT8
ORDER BY s.number
