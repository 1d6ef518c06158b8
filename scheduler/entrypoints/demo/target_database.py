"""The database that the demo's db_tx jobs change."""

import asyncio
from collections.abc import Mapping, Sequence

from scheduler.adapters.embedded import EmbeddedPostgres
from scheduler.adapters.embedded.cluster import ROLE
from scheduler.adapters.handlers.db_tx import create_effects

NAME = "demo"
BOOK = "book"
"""The one statement that the workers may run."""
_STATEMENTS = f"-- name: {BOOK}\nINSERT INTO bookings (job_id) VALUES ($1::UUID)\n"


def prepare_database(postgres: EmbeddedPostgres) -> Mapping[str, str]:
    """Create the database as an operator would, see docs/db_tx.md; return the workers' variables."""
    url = postgres.url_of(NAME)
    postgres.execute(f"CREATE DATABASE {NAME} OWNER {ROLE}")
    asyncio.run(create_effects(url))
    # No key: a second booking of a job would be there to be seen.
    postgres.execute(f"SET ROLE {ROLE}; CREATE TABLE bookings (job_id UUID NOT NULL)", database=NAME)
    statements = postgres.data_dir.parent / "statements.sql"
    statements.write_text(_STATEMENTS, encoding="utf-8")
    return {"DB_TX_DATABASE_URL": url, "DB_TX_ALLOWED_STATEMENTS": str(statements), "DB_TX_ALLOW_ANY_SQL": ""}


def read_bookings(postgres: EmbeddedPostgres) -> Sequence[str]:
    """Return the ids of the jobs that took effect, one for each time that they did."""
    return postgres.execute("SELECT job_id FROM bookings JOIN scheduler_effects USING (job_id)", database=NAME)
