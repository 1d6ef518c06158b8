"""Statements, array literals and columns, without a server."""

from datetime import timedelta
from uuid import UUID

import pytest

from scheduler.adapters.cockroach.arrays import microseconds, numbers, texts, times, uuids, words
from scheduler.adapters.cockroach.columns import SHARDS, change_columns, new_job_columns, shard_of
from scheduler.adapters.cockroach.rows import JOB_COLUMNS
from scheduler.adapters.cockroach.statements import Statements, read_sql
from scheduler.domain.priority import Priority
from tests.support.builders import NOW, SECOND, a_change, a_job, a_job_id, a_new_job, a_worker_id

DRIVER_CACHES_UP_TO = 4096


def test_text_is_quoted() -> None:
    values = ["plain", "", "NULL", None, 'say "hi"', "back\\slash", "{a,b}", " é\n"]
    assert texts(values) == '{"plain","","NULL",NULL,"say \\"hi\\"","back\\\\slash","{a,b}"," é\n"}'


def test_ids_times_numbers_and_words_need_no_quotes() -> None:
    assert uuids([UUID(int=1), None]) == "{00000000000000000000000000000001,NULL}"
    assert times([NOW, NOW, None, NOW + SECOND]) == (
        "{2026-03-04T05:06:07.890123+00:00,2026-03-04T05:06:07.890123+00:00,NULL,2026-03-04T05:06:08.890123+00:00}"
    )
    assert numbers([1, -2, 0.1]) == "{1,-2,0.1}"
    assert words([Priority.HIGH, None]) == "{HIGH,NULL}"
    assert uuids([]) == times([]) == numbers([]) == words([]) == texts([]) == "{}"


def test_durations_are_exact_to_the_microsecond() -> None:
    assert microseconds(timedelta(days=366, microseconds=1)) == 366 * 86_400 * 10**6 + 1


def test_shards_follow_the_first_byte_of_the_id() -> None:
    ids = [UUID(bytes=bytes([first]) + bytes(15)) for first in range(256)]
    assert [shard_of(job_id) for job_id in ids] == [first % SHARDS for first in range(256)]


def test_rows_of_a_batch_are_sorted_by_id_so_that_batches_lock_in_one_order() -> None:
    jobs = [a_job(id=a_job_id()) for _ in range(20)]
    in_order = uuids(sorted(job.id for job in jobs))
    started = [a_change(job, job.start(a_worker_id(), NOW)) for job in jobs]
    assert new_job_columns([a_new_job(job) for job in jobs])["id"] == in_order
    assert change_columns(started)["id"] == in_order


@pytest.mark.parametrize("name", ["add_jobs", "apply_changes", "queued_page", "list_jobs_by_label"])
def test_hot_statements_are_short_enough_for_the_drivers_cache(name: str) -> None:
    assert len(Statements()[name]) <= DRIVER_CACHES_UP_TO


def test_the_columns_are_counted_right() -> None:
    assert read_sql("sql")["job_columns"].count("j.") == JOB_COLUMNS


def test_a_statement_is_assembled_without_comments() -> None:
    statement = Statements()["due"].decode()
    assert "j.retry_max_backoff_us" in statement
    assert "(7::INT2)" in statement
    assert "--" not in Statements()["apply_changes"].decode()


def test_an_unknown_statement_is_an_error() -> None:
    with pytest.raises(KeyError):
        Statements()["drop_everything"]
