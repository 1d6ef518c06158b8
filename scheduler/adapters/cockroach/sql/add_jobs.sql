WITH added AS (
    INSERT INTO jobs (
        id, shard, type, priority, payload, idempotency_key, request_hash, created_op_id, op_id, max_attempts, timeout_us,
        retry_initial_us, retry_max_backoff_us, retry_multiplier, retry_jitter, labels, created_at, state, version,
        attempts, losses, run_at, queued_at, updated_at, started_at, finished_at, worker_id, last_outcome, last_error,
        error_fingerprint, traceparent, tracestate
    )
    SELECT
        n.id, n.shard, n.type, n.priority, n.payload, n.idempotency_key, n.request_hash, n.op_id, n.op_id, n.max_attempts,
        n.timeout_us, n.retry_initial_us, n.retry_max_backoff_us, n.retry_multiplier, n.retry_jitter, n.labels,
        n.created_at, n.state, n.version, n.attempts, n.losses, n.run_at, n.queued_at, n.updated_at, n.started_at,
        n.finished_at, n.worker_id, n.last_outcome, n.last_error, n.error_fingerprint, n.traceparent,
        n.tracestate
    FROM unnest(
        %(id)s::UUID[], %(shard)s::INT2[], %(type)s::TEXT[], %(priority)s::TEXT[], %(payload)s::TEXT[],
        %(idempotency_key)s::TEXT[], %(request_hash)s::TEXT[], %(op_id)s::UUID[], %(max_attempts)s::INT4[],
        %(timeout_us)s::INT8[], %(retry_initial_us)s::INT8[], %(retry_max_backoff_us)s::INT8[],
        %(retry_multiplier)s::FLOAT8[], %(retry_jitter)s::FLOAT8[], %(labels)s::TEXT[], %(created_at)s::TIMESTAMPTZ[],
        %(state)s::TEXT[], %(version)s::INT8[], %(attempts)s::INT4[], %(losses)s::INT4[], %(run_at)s::TIMESTAMPTZ[],
        %(queued_at)s::TIMESTAMPTZ[], %(updated_at)s::TIMESTAMPTZ[], %(started_at)s::TIMESTAMPTZ[],
        %(finished_at)s::TIMESTAMPTZ[], %(worker_id)s::UUID[], %(last_outcome)s::TEXT[], %(last_error)s::TEXT[],
        %(error_fingerprint)s::TEXT[], %(traceparent)s::TEXT[], %(tracestate)s::TEXT[]
    ) AS n (
        id, shard, type, priority, payload, idempotency_key, request_hash, op_id, max_attempts, timeout_us,
        retry_initial_us, retry_max_backoff_us, retry_multiplier, retry_jitter, labels, created_at, state, version,
        attempts, losses, run_at, queued_at, updated_at, started_at, finished_at, worker_id, last_outcome, last_error,
        error_fingerprint, traceparent, tracestate
    )
    RETURNING id
),
labelled AS (
    INSERT INTO job_labels (key, value, created_at, job_id)
    SELECT n.key, n.value, n.created_at, n.job_id
    FROM unnest(
        %(label_key)s::TEXT[], %(label_value)s::TEXT[], %(label_created_at)s::TIMESTAMPTZ[], %(label_job_id)s::UUID[]
    ) AS n (key, value, created_at, job_id)
    RETURNING job_id
)
SELECT count(*)::INT8 FROM added
