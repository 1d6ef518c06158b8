-- As scan_ended, among the jobs of one kind of error, which is compared with the rest as in error_groups.
SELECT s.id, s.version, s.place, s.matches, s.number
FROM (
    SELECT e.id, e.version, e.place, e.matches, row_number() OVER (ORDER BY e.place, e.id) AS number
    FROM (
        SELECT j.id, j.version, j.finished_at AS place, ({ended_filter}) AS matches
        FROM jobs AS j
        WHERE j.state IN ('FAILED', 'DEADLETTER')
            AND (j.error_fingerprint, j.finished_at, j.id)
            > (%(error_fingerprint)s::TEXT, %(after_at)s::TIMESTAMPTZ, %(after_id)s::UUID)
            AND (j.error_fingerprint, j.finished_at)
            < (%(error_fingerprint)s::TEXT, %(finished_before)s::TIMESTAMPTZ)
        ORDER BY j.error_fingerprint, j.finished_at, j.id
        LIMIT %(scan)s::INT8
    ) AS e
) AS s
WHERE s.matches OR s.number = %(scan)s::INT8
ORDER BY s.number
