j.id, j.type, j.priority, j.max_attempts, j.timeout_us,
j.retry_initial_us, j.retry_max_backoff_us, j.retry_multiplier, j.retry_jitter,
j.request_hash, j.idempotency_key, j.labels, j.state, j.version, j.attempts, j.losses,
j.run_at, j.created_at, j.updated_at, j.queued_at, j.started_at, j.finished_at,
j.worker_id, j.last_outcome, j.last_error, j.error_fingerprint,
j.progress, j.progress_message, j.progress_at, j.op_id
