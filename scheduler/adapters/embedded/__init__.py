"""PostgreSQL and Valkey servers run from installed wheels."""
