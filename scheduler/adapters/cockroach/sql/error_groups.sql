-- Each kind of error once, by jumps from one fingerprint to the next. Their number is bounded, so that the kinds of the
-- newest jobs are added; then the kinds last seen are taken, and of each a bounded number of jobs is counted. There the
-- fingerprint is compared with the rest: a planner that takes each kind for rare would sort all its jobs.
WITH RECURSIVE jumps (fingerprint, jump) AS (
    (
        SELECT j.error_fingerprint, 1::INT8
        FROM jobs AS j
        WHERE j.state IN ('FAILED', 'DEADLETTER') AND j.error_fingerprint >= %(first)s::TEXT
        ORDER BY j.error_fingerprint
        LIMIT 1
    )
    UNION ALL
    SELECT n.error_fingerprint, p.jump + 1
    FROM jumps AS p
    CROSS JOIN LATERAL (
        SELECT j.error_fingerprint
        FROM jobs AS j
        WHERE j.state IN ('FAILED', 'DEADLETTER') AND j.error_fingerprint > p.fingerprint
        ORDER BY j.error_fingerprint
        LIMIT 1
    ) AS n
    WHERE p.jump < %(jumps)s::INT8
),
kinds AS (
    SELECT p.fingerprint
    FROM jumps AS p
    UNION
    SELECT n.error_fingerprint
    FROM (VALUES ('FAILED'), ('DEADLETTER')) AS w (state)
    CROSS JOIN LATERAL (
        SELECT j.error_fingerprint
        FROM jobs AS j
        WHERE j.state = w.state AND j.state IN ('FAILED', 'DEADLETTER', 'CANCELLED')
        ORDER BY j.finished_at DESC, j.id DESC
        LIMIT %(newest)s::INT8
    ) AS n
),
shown AS (
    SELECT k.fingerprint, n.id, n.type, n.last_error, n.finished_at
    FROM kinds AS k
    CROSS JOIN LATERAL (
        SELECT j.id, j.type, j.last_error, j.finished_at
        FROM jobs AS j
        WHERE j.state IN ('FAILED', 'DEADLETTER') AND j.error_fingerprint = k.fingerprint
        ORDER BY j.finished_at DESC, j.id DESC
        LIMIT 1
    ) AS n
    WHERE %(type)s::TEXT IS NULL OR n.type = %(type)s::TEXT
    ORDER BY n.finished_at DESC, k.fingerprint
    LIMIT %(limit)s::INT8
)
SELECT s.fingerprint, s.type, s.id, s.last_error, c.failed, c.dead_letters, f.finished_at, s.finished_at
FROM shown AS s
CROSS JOIN LATERAL (
    SELECT j.finished_at
    FROM jobs AS j
    WHERE j.state IN ('FAILED', 'DEADLETTER') AND j.error_fingerprint = s.fingerprint
    ORDER BY j.finished_at, j.id
    LIMIT 1
) AS f
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE q.state = 'FAILED')::INT8 AS failed,
        count(*) FILTER (WHERE q.state = 'DEADLETTER')::INT8 AS dead_letters
    FROM (
        SELECT j.state
        FROM jobs AS j
        WHERE j.state IN ('FAILED', 'DEADLETTER')
            AND (j.error_fingerprint, j.finished_at) >= (s.fingerprint, f.finished_at)
            AND (j.error_fingerprint, j.finished_at) <= (s.fingerprint, s.finished_at)
        ORDER BY j.error_fingerprint DESC, j.finished_at DESC, j.id DESC
        LIMIT %(cap)s::INT8
    ) AS q
) AS c
ORDER BY s.finished_at DESC, s.fingerprint
