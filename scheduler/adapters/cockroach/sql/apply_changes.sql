-- Compare and set, row by row: the row must be as the write left it that the change was decided on. A row that this very
-- write has changed before matches by its op_id; it keeps the progress that was noted since, for that alone changes without
-- a new version.
WITH applied AS (
    UPDATE jobs AS j
    SET state = c.state, version = c.version, op_id = c.op_id, attempts = c.attempts, losses = c.losses,
        run_at = c.run_at, queued_at = c.queued_at, updated_at = c.updated_at, started_at = c.started_at,
        finished_at = c.finished_at, worker_id = c.worker_id, last_outcome = c.last_outcome, last_error = c.last_error,
        error_fingerprint = c.error_fingerprint,
        progress = CASE WHEN j.version = c.version THEN j.progress ELSE c.progress END,
        progress_message = CASE WHEN j.version = c.version THEN j.progress_message ELSE c.progress_message END,
        progress_at = CASE WHEN j.version = c.version THEN j.progress_at ELSE c.progress_at END,
        payload = COALESCE(c.payload, j.payload), result = COALESCE(c.result, j.result)
    FROM unnest(
        %(id)s::UUID[], %(version)s::INT8[], %(before_op_id)s::UUID[], %(op_id)s::UUID[], %(state)s::TEXT[],
        %(attempts)s::INT4[], %(losses)s::INT4[], %(run_at)s::TIMESTAMPTZ[], %(queued_at)s::TIMESTAMPTZ[],
        %(updated_at)s::TIMESTAMPTZ[], %(started_at)s::TIMESTAMPTZ[], %(finished_at)s::TIMESTAMPTZ[],
        %(worker_id)s::UUID[], %(last_outcome)s::TEXT[], %(last_error)s::TEXT[], %(error_fingerprint)s::TEXT[],
        %(progress)s::FLOAT8[], %(progress_message)s::TEXT[], %(progress_at)s::TIMESTAMPTZ[], %(payload)s::TEXT[],
        %(result)s::TEXT[]
    ) AS c (
        id, version, before_op_id, op_id, state, attempts, losses, run_at, queued_at, updated_at, started_at,
        finished_at, worker_id, last_outcome, last_error, error_fingerprint, progress, progress_message, progress_at,
        payload, result
    )
    WHERE j.id = c.id
        AND ((j.version = c.version - 1 AND j.op_id = c.before_op_id) OR (j.version = c.version AND j.op_id = c.op_id))
    RETURNING j.id
),
ended AS (
    INSERT INTO job_attempts (job_id, fence, number, worker_id, started_at, finished_at, outcome, error)
    SELECT e.job_id, e.fence, e.number, e.worker_id, e.started_at, e.finished_at, e.outcome, e.error
    FROM unnest(
        %(ended_job_id)s::UUID[], %(ended_fence)s::INT8[], %(ended_number)s::INT4[], %(ended_worker_id)s::UUID[],
        %(ended_started_at)s::TIMESTAMPTZ[], %(ended_finished_at)s::TIMESTAMPTZ[], %(ended_outcome)s::TEXT[],
        %(ended_error)s::TEXT[]
    ) AS e (job_id, fence, number, worker_id, started_at, finished_at, outcome, error)
    JOIN applied AS a ON a.id = e.job_id
    ON CONFLICT (job_id, fence) DO NOTHING
    RETURNING job_id
)
SELECT a.id FROM applied AS a
