"""Jobs, attempts and workers in CockroachDB or PostgreSQL."""
