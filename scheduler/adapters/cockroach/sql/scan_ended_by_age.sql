-- As scan_ended, in the order of creation: SUCCEEDED jobs are too many for an index of their ends. The state is compared
-- with the rest, for a planner that takes all states for common walks all jobs by their age in search of a rare one.
SELECT s.id, s.version, s.place, s.matches, s.number
FROM (
    SELECT e.id, e.version, e.place, e.matches, row_number() OVER (ORDER BY e.place, e.id) AS number
    FROM unnest(%(states)s::TEXT[]) AS w (state)
    CROSS JOIN LATERAL (
        SELECT j.id, j.version, j.created_at AS place, ({ended_filter}) AS matches
        FROM jobs AS j
        WHERE (j.state, j.created_at, j.id) > (w.state, %(after_at)s::TIMESTAMPTZ, %(after_id)s::UUID)
            AND (j.state, j.created_at) < (w.state, %(created_before)s::TIMESTAMPTZ)
        ORDER BY j.state, j.created_at, j.id
        LIMIT %(scan)s::INT8
    ) AS e
    ORDER BY number
    LIMIT %(scan)s::INT8
) AS s
WHERE s.matches OR s.number = %(scan)s::INT8
ORDER BY s.number
